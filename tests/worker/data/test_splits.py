import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.data import Dataset, load, split
from worker.data.splits import shares


def dataset(labels: list[int], first_test: int | None = None) -> Dataset:
    return Dataset(
        name="some",
        images=np.zeros((len(labels), 1, 1, 1), np.uint8),
        labels=np.array(labels, np.int64),
        class_names=tuple("abcdef"),
        first_test=first_test,
        content_hash="sha256:",
    )


@st.composite
def cases(draw: st.DrawFn) -> tuple[Dataset, dict[str, int]]:
    labels = draw(st.lists(st.integers(0, 5), min_size=3, max_size=200))
    pool = len(labels)
    first_test = draw(st.none() | st.integers(2, pool - 1))
    here = pool if first_test is None else first_test
    test = draw(st.integers(1, here - 2 if first_test is None else pool - here))
    left = here - test if first_test is None else here
    validation = draw(st.integers(1, left - 1))
    train = draw(st.integers(1, left - validation))
    return dataset(labels, first_test), {"train": train, "validation": validation, "test": test}


@given(cases(), st.integers(0, 2**53 - 1))
def test_splits_are_exact_disjoint_stratified_and_seeded(
    case: tuple[Dataset, dict[str, int]], seed: int
) -> None:
    drawn_from, counts = case
    splits = split(drawn_from, **counts, seed=seed)
    parts = {name: getattr(splits, name) for name in counts}
    assert {name: len(part) for name, part in parts.items()} == counts
    everything = np.concatenate(list(parts.values()))
    assert len(np.unique(everything)) == len(everything)
    assert everything.min() >= 0
    assert everything.max() < len(drawn_from)

    first_test = drawn_from.first_test
    if first_test is not None:
        assert (splits.test >= first_test).all()
        assert splits.train.max() < first_test
        assert splits.validation.max() < first_test
    whole = np.arange(len(drawn_from))
    pools = dict.fromkeys(counts, whole if first_test is None else whole[:first_test])
    pools["test"] = whole if first_test is None else whole[first_test:]
    for name, part in parts.items():
        assert (np.diff(part) > 0).all()
        have = np.bincount(drawn_from.labels[part], minlength=6)
        exact = np.bincount(drawn_from.labels[pools[name]], minlength=6) * (
            len(part) / len(pools[name])
        )
        within = 1 if name == "test" else 2 if name == "validation" else 3
        assert (np.abs(have - exact) < within).all()

    again = split(drawn_from, **counts, seed=seed)
    assert all(np.array_equal(part, getattr(again, name)) for name, part in parts.items())


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=20), st.data())
def test_shares_add_up_and_are_proportional_to_within_one_image(
    sizes: list[int], data: st.DataObject
) -> None:
    count = data.draw(st.integers(0, sum(sizes)))
    counts_K = shares(np.array(sizes, np.int64), count)
    assert counts_K.sum() == count
    assert (counts_K <= sizes).all()
    if sum(sizes):
        assert (np.abs(counts_K - np.array(sizes) * count / sum(sizes)) < 1).all()


def test_another_seed_draws_other_images() -> None:
    drawn_from = dataset([0, 1] * 50)
    first, second = (split(drawn_from, train=50, validation=20, test=30, seed=s) for s in (0, 1))
    assert not np.array_equal(first.train, second.train)


def test_test_images_do_not_depend_on_the_number_of_training_images() -> None:
    drawn_from = dataset([0, 1, 2, 3] * 50)
    small = split(drawn_from, train=10, validation=20, test=30, seed=5)
    large = split(drawn_from, train=150, validation=20, test=30, seed=5)
    assert np.array_equal(small.test, large.test)
    assert np.array_equal(small.validation, large.validation)


def test_splits_of_a_seed_never_change(tmp_path: Path) -> None:
    digits = load("digits", data_dir=tmp_path, cache_dir=tmp_path)
    splits = split(digits, train=1_259, validation=269, test=269, seed=7)
    digest = hashlib.sha256(
        b"".join(part.tobytes() for part in (splits.train, splits.validation, splits.test))
    )
    assert digest.hexdigest() == "81623b75fb87f05858c3f3bcfdec114914e8b218ccaf3aeb7261f5e9fe63ea33"


@pytest.mark.parametrize("field", ["train", "validation", "test"])
def test_more_images_than_available_are_refused(field: str) -> None:
    with pytest.raises(ValueError, match=rf"dataset\.{field} is 9"):
        split(dataset([0] * 8), **{"train": 1, "validation": 1, "test": 1, field: 9}, seed=0)
