"""How many samples each split gets, by default and for requested counts."""

from dataclasses import astuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.jobs.admission.splits import SplitCounts, SplitError, resolve_splits
from shared.datasets import CIFAR10, DIGITS, FACTS, FASHION_MNIST, SYNTHETIC, DatasetFacts

#: A table has the facts of its file.
IMAGES = sorted(set(FACTS) - {"table"})
COUNTS = st.none() | st.integers(1, 120_000)


def details(facts: DatasetFacts, **requested: int) -> dict[str, str]:
    """Return the faults of requested counts, by field."""
    with pytest.raises(SplitError) as caught:
        resolve_splits(facts, **requested)
    return {fault.field: fault.detail for fault in caught.value.faults}


class TestDefaults:
    def test_own_test_split_is_used_whole_and_the_rest_is_split_85_to_15(self) -> None:
        assert resolve_splits(FASHION_MNIST) == SplitCounts(51_000, 9_000, 10_000)

    def test_without_own_test_split_the_images_are_split_70_15_15(self) -> None:
        assert resolve_splits(DIGITS) == SplitCounts(1_259, 269, 269)

    def test_synthetic_has_fixed_default_counts(self) -> None:
        assert resolve_splits(SYNTHETIC) == SplitCounts(1_400, 300, 300)


class TestRequestedCounts:
    def test_validation_is_at_most_15_percent_when_train_is_requested(self) -> None:
        assert resolve_splits(FASHION_MNIST, train=5_000) == SplitCounts(5_000, 9_000, 10_000)

    def test_validation_gets_what_a_large_train_leaves(self) -> None:
        assert resolve_splits(FASHION_MNIST, train=59_000) == SplitCounts(59_000, 1_000, 10_000)

    def test_train_gets_all_that_a_requested_validation_leaves(self) -> None:
        assert resolve_splits(CIFAR10, validation=100) == SplitCounts(49_900, 100, 10_000)

    def test_two_missing_splits_share_what_a_large_train_leaves(self) -> None:
        assert resolve_splits(DIGITS, train=1_787) == SplitCounts(1_787, 5, 5)

    def test_synthetic_is_generated_in_the_requested_size(self) -> None:
        assert resolve_splits(SYNTHETIC, train=50_000).total == 50_600


class TestFaults:
    def test_too_large_count_is_reported_with_what_is_left(self) -> None:
        assert details(FASHION_MNIST, train=50_000, validation=70_000) == {
            "validation": "is 70000; 10000 of 60000 samples are left after train 50000"
        }

    def test_every_fault_is_reported_at_once(self) -> None:
        assert details(FASHION_MNIST, train=60_001, validation=60_002, test=10_001) == {
            "train": "is 60001; 60000 of 60000 samples are left",
            "validation": "is 60002; 60000 of 60000 samples are left",
            "test": "is 10001; the test split of fashion-mnist has 10000 samples",
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

    def test_counts_below_one_are_reported(self) -> None:
        assert details(DIGITS, train=0, test=-3) == {
            "train": "is 0; it must be at least 1",
            "test": "is -3; it must be at least 1",
        }

    def test_synthetic_has_a_maximum(self) -> None:
        assert details(SYNTHETIC, train=99_999) == {
            "train": "is 99999, and the splits have 100599 samples together; "
            "at most 100000 are generated"
        }

    def test_error_text_names_each_field(self) -> None:
        with pytest.raises(SplitError, match=r"^train is 0; .*; test is 0; "):
            resolve_splits(DIGITS, train=0, test=0)


@given(st.sampled_from(IMAGES), COUNTS, COUNTS, COUNTS)
def test_resolved_counts_can_always_be_drawn(
    name: str, train: int | None, validation: int | None, test: int | None
) -> None:
    facts = FACTS[name]
    try:
        counts = resolve_splits(facts, train=train, validation=validation, test=test)
    except SplitError as error:
        fields = {fault.field for fault in error.faults}
    else:
        fields = None
        assert_can_be_drawn(facts, counts)
        for requested, count in zip((train, validation, test), astuple(counts), strict=True):
            assert requested is None or requested == count
    assert fields is None or (fields and fields <= {"train", "validation", "test"})


def assert_can_be_drawn(facts: DatasetFacts, counts: SplitCounts) -> None:
    """Check that each split has a sample and no sample is needed twice."""
    assert min(astuple(counts)) >= 1
    if facts.synthetic:
        assert counts.total <= facts.max_images
    elif facts.test:
        assert counts.train + counts.validation <= facts.train
        assert counts.test <= facts.test
    else:
        assert counts.total <= facts.train
