"""Which images train, validate and test: seeded, stratified, disjoint.

Axes: N images of the data set, K classes.
"""

from dataclasses import dataclass

import numpy as np

from worker.data.dataset import Dataset, Integers

PURPOSE = 0x5350_4C49  # keeps this stream of random numbers apart from others of the same seed


@dataclass(frozen=True, eq=False)
class Splits:
    """Indices into the data set, ascending, int64; no index is in two of them."""

    train: Integers
    validation: Integers
    test: Integers


def split(dataset: Dataset, *, train: int, validation: int, test: int, seed: int) -> Splits:
    """Draw the three splits.

    Each class is given its share of every split to within one image (two where splits compete
    for its last ones), and the sums are exact. Test images are drawn first, then validation,
    then training: jobs of one seed that differ only in `train` are tested on the same images.

    Args:
        dataset: its own test split, where it has one, is the only place test images come from.
        train: number of images to train on.
        validation: number of images to validate on.
        test: number of images to test on.
        seed: of the job.

    Raises:
        ValueError: more is asked than is there.
    """
    order_N = _order(dataset.labels, seed)
    everything = np.arange(len(dataset))
    if dataset.first_test is None:
        pool, own_test = everything, everything
    else:
        pool, own_test = everything[: dataset.first_test], everything[dataset.first_test :]
    drawn_test = _draw(dataset.labels, order_N, own_test, test, "test")
    rest = np.setdiff1d(pool, drawn_test, assume_unique=True)
    drawn_validation = _draw(dataset.labels, order_N, rest, validation, "validation")
    rest = np.setdiff1d(rest, drawn_validation, assume_unique=True)
    drawn_train = _draw(dataset.labels, order_N, rest, train, "train")
    return Splits(drawn_train, drawn_validation, drawn_test)


def shares(class_sizes_K: Integers, count: int) -> Integers:
    """How many of `count` images each class gives: in proportion, by largest remainder.

    Remainders that tie go to the class of the lower index. Integer arithmetic throughout.
    """
    total = int(class_sizes_K.sum())
    if total == 0:
        return class_sizes_K.copy()
    whole_K, remainder_K = np.divmod(class_sizes_K * count, total)
    missing = count - int(whole_K.sum())
    whole_K[np.argsort(-remainder_K, kind="stable")[:missing]] += 1
    return whole_K


def _order(labels_N: Integers, seed: int) -> Integers:
    """A random rank for every image.

    Raw PCG64 output: numpy keeps that stream, but not what `Generator` makes of it, the same.
    """
    bits = np.random.PCG64(np.random.SeedSequence([PURPOSE, seed]))
    keys_N = np.asarray(bits.random_raw(len(labels_N)), np.uint64)
    order_N = np.empty(len(labels_N), np.int64)
    order_N[np.argsort(keys_N, kind="stable")] = np.arange(len(labels_N))
    return order_N


def _draw(
    labels_N: Integers, order_N: Integers, candidates: Integers, count: int, name: str
) -> Integers:
    if count > len(candidates):
        raise ValueError(f"{name} {count} asked, {len(candidates)} images are left for it")
    labels = labels_N[candidates]
    sizes_K = np.bincount(labels)
    by_class = candidates[np.lexsort((order_N[candidates], labels))]
    starts_K = np.cumsum(sizes_K) - sizes_K
    place = np.arange(len(candidates)) - np.repeat(starts_K, sizes_K)
    return np.sort(by_class[place < np.repeat(shares(sizes_K, count), sizes_K)])
