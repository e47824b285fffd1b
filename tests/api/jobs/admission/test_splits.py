"""How many samples each split gets, by default and for requested counts."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from api.jobs.admission.splits import fill_splits
from shared.datasets import CIFAR10, DIGITS, FACTS, FASHION_MNIST, SYNTHETIC, DatasetFacts
from shared.spec import DatasetSpec

#: A table has the facts of its file.
IMAGES = sorted(set(FACTS) - {"table"})
COUNTS = st.none() | st.integers(1, 120_000)


def counts(facts: DatasetFacts, **requested: int) -> tuple[int, int, int]:
    """Return the counts of training, validation and test for requested counts without faults."""
    filled, faults = fill_splits(DatasetSpec(name=facts.name, **requested), facts)
    assert not faults
    return filled["train"], filled["validation"], filled["test"]


def details(facts: DatasetFacts, **requested: int) -> dict[str, str]:
    """Return the faults of requested counts, by split."""
    filled, faults = fill_splits(DatasetSpec(name=facts.name, **requested), facts)
    assert not filled
    return {fault.pointer.removeprefix("/dataset/"): fault.detail for fault in faults}


class TestDefaults:
    def test_own_test_split_is_used_whole_and_the_rest_is_split_85_to_15(self) -> None:
        assert counts(FASHION_MNIST) == (51_000, 9_000, 10_000)

    def test_without_own_test_split_the_images_are_split_70_15_15(self) -> None:
        assert counts(DIGITS) == (1_259, 269, 269)

    def test_synthetic_has_fixed_default_counts(self) -> None:
        assert counts(SYNTHETIC) == (1_400, 300, 300)


class TestRequestedCounts:
    def test_validation_is_at_most_15_percent_when_train_is_requested(self) -> None:
        assert counts(FASHION_MNIST, train=5_000) == (5_000, 9_000, 10_000)

    def test_validation_gets_what_a_large_train_leaves(self) -> None:
        assert counts(FASHION_MNIST, train=59_000) == (59_000, 1_000, 10_000)

    def test_train_gets_all_that_a_requested_validation_leaves(self) -> None:
        assert counts(CIFAR10, validation=100) == (49_900, 100, 10_000)

    def test_two_missing_splits_share_what_a_large_train_leaves(self) -> None:
        assert counts(DIGITS, train=1_787) == (1_787, 5, 5)

    def test_synthetic_is_generated_in_the_requested_size(self) -> None:
        assert sum(counts(SYNTHETIC, train=50_000)) == 50_600


class TestFaults:
    def test_too_large_count_is_reported_with_what_is_left(self) -> None:
        assert details(FASHION_MNIST, train=50_000, validation=70_000) == {
            "validation": "is 70000; it must be at most 10000, what train 50000 leaves of "
            "60000 samples"
        }

    def test_every_fault_is_reported_at_once(self) -> None:
        assert details(FASHION_MNIST, train=60_001, validation=60_002, test=10_001) == {
            "train": "is 60001; it must be at most 60000, all samples",
            "validation": "is 60002; it must be at most 60000, all samples",
            "test": "is 10001; it must be at most 10000, the test split of fashion-mnist",
        }

    def test_train_that_leaves_too_little_is_reported(self) -> None:
        assert details(DIGITS, train=1_796) == {
            "train": "is 1796, which leaves 1 of 1797 samples for validation and test; "
            "at least 2 must be left"
        }

    def test_last_of_two_counts_that_leave_nothing_is_reported(self) -> None:
        assert details(DIGITS, train=1_000, validation=797) == {
            "validation": "is 797 after train 1000, which leaves 0 of 1797 samples for test; "
            "at least 1 must be left"
        }

    def test_synthetic_has_a_maximum(self) -> None:
        assert details(SYNTHETIC, train=99_999) == {
            "train": "is 99999, and the splits have 100599 samples together; "
            "at most 100000 are generated"
        }


@given(st.sampled_from(IMAGES), COUNTS, COUNTS, COUNTS)
def test_filled_counts_can_always_be_drawn(
    name: str, train: int | None, validation: int | None, test: int | None
) -> None:
    requested: dict[str, Any] = {"train": train, "validation": validation, "test": test}
    filled, faults = fill_splits(DatasetSpec(name=name, **requested), FACTS[name])
    if faults:
        assert {fault.pointer.removeprefix("/dataset/") for fault in faults} <= set(requested)
        assert not filled
        return
    assert_can_be_drawn(FACTS[name], **filled)
    for split, count in requested.items():
        assert count in (None, filled[split])


def assert_can_be_drawn(facts: DatasetFacts, *, train: int, validation: int, test: int) -> None:
    """Check that each split has a sample and no sample is needed twice."""
    assert min(train, validation, test) >= 1
    if facts.synthetic:
        assert train + validation + test <= facts.max_images
    elif facts.test:
        assert train + validation <= facts.train
        assert test <= facts.test
    else:
        assert train + validation + test <= facts.train
