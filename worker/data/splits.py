"""The training, validation and test splits: seeded, stratified, disjoint.

Axes: N images of the data set, K classes.
"""

from dataclasses import dataclass

import numpy as np

from worker.data.dataset import Dataset, Integers
from worker.registry import SpecError

PURPOSE = 0x5350_4C49  # separates this random stream from other streams of the same seed


@dataclass(frozen=True, eq=False)
class SplitIndices:
    """The samples of each split: ascending int64 indices into the data set, without overlap."""

    train: Integers
    validation: Integers
    test: Integers


def split(dataset: Dataset, *, train: int, validation: int, test: int, seed: int) -> SplitIndices:
    """Draw the three splits.

    Every split has its exact size, and each class its proportion of it to within one image (two
    if splits compete for its last images). Test images are drawn first, then validation, then
    training images: jobs with the same seed that differ only in `train` are tested on the same
    images.

    Args:
        dataset: if it has a test split, test images come only from there; likewise of validation.
        train: number of images to train on.
        validation: number of images to validate on.
        test: number of images to test on.
        seed: seed of the job.

    Raises:
        SpecError: the data set has too few images.
    """
    order_N = _order(dataset.labels, seed)
    everything = np.arange(len(dataset))
    if dataset.first_test is None:
        pool, test_pool = everything, everything
    else:
        pool, test_pool = everything[: dataset.first_test], everything[dataset.first_test :]
    own_validation = None
    if dataset.first_validation is not None:
        own_validation = pool[dataset.first_validation :]
        pool = pool[: dataset.first_validation]
        test_pool = pool if dataset.first_test is None else test_pool
    drawn_test = _draw(dataset.labels, order_N, test_pool, test, "test")
    remaining = np.setdiff1d(pool, drawn_test, assume_unique=True)
    validation_pool = remaining if own_validation is None else own_validation
    drawn_validation = _draw(dataset.labels, order_N, validation_pool, validation, "validation")
    remaining = np.setdiff1d(remaining, drawn_validation, assume_unique=True)
    drawn_train = _draw(dataset.labels, order_N, remaining, train, "train")
    return SplitIndices(drawn_train, drawn_validation, drawn_test)


def shares(class_sizes_K: Integers, count: int) -> Integers:
    """Return how many of `count` images each class contributes: proportional, largest remainder.

    Ties go to the class with the lower index. All arithmetic is on integers.
    """
    total = int(class_sizes_K.sum())
    if total == 0:
        return class_sizes_K.copy()
    whole_K, remainder_K = np.divmod(class_sizes_K * count, total)
    missing = count - int(whole_K.sum())
    whole_K[np.argsort(-remainder_K, kind="stable")[:missing]] += 1
    return whole_K


def _order(labels_N: Integers, seed: int) -> Integers:
    """Return a random rank for every image.

    From raw PCG64 output: numpy guarantees this stream to be stable, but not `Generator`'s.
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
        raise SpecError(f"dataset.{name} is {count}; {len(candidates)} images are available.")
    labels = labels_N[candidates]
    sizes_K = np.bincount(labels)
    by_class = candidates[np.lexsort((order_N[candidates], labels))]
    starts_K = np.cumsum(sizes_K) - sizes_K
    rank = np.arange(len(candidates)) - np.repeat(starts_K, sizes_K)
    return np.sort(by_class[rank < np.repeat(shares(sizes_K, count), sizes_K)])
