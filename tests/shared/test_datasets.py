from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.datasets import (
    CIFAR10,
    DIGITS,
    FACTS,
    FASHION_MNIST,
    SYNTHETIC,
    DatasetFacts,
    SplitCounts,
    SplitsRefused,
    is_at_hand,
    resolve_splits,
)

#: A table has the facts of its file.
IMAGES = sorted(set(FACTS) - {"table"})
FIGURES = st.none() | st.integers(1, 120_000)


def resolved(facts: DatasetFacts, **asked: int | None) -> tuple[SplitCounts | None, list[str]]:
    try:
        return resolve_splits(facts, **asked), []
    except SplitsRefused as refusal:
        return None, [fault.field for fault in refusal.faults]


def refused(facts: DatasetFacts, **asked: int) -> dict[str, str]:
    with pytest.raises(SplitsRefused) as caught:
        resolve_splits(facts, **asked)
    return {fault.field: fault.message for fault in caught.value.faults}


class TestDefaults:
    def test_own_test_split_is_taken_whole_and_the_rest_is_85_to_15(self) -> None:
        assert resolve_splits(FASHION_MNIST) == SplitCounts(51_000, 9_000, 10_000)

    def test_without_own_test_split_it_is_70_15_15(self) -> None:
        assert resolve_splits(DIGITS) == SplitCounts(1_259, 269, 269)

    def test_synthetic_has_figures_of_its_own(self) -> None:
        assert resolve_splits(SYNTHETIC) == SplitCounts(1_400, 300, 300)


class TestExplicitFigures:
    def test_validation_beside_an_explicit_train_is_at_most_15_percent(self) -> None:
        assert resolve_splits(FASHION_MNIST, train=5_000) == SplitCounts(5_000, 9_000, 10_000)

    def test_validation_beside_a_large_train_is_what_is_left(self) -> None:
        assert resolve_splits(FASHION_MNIST, train=59_000) == SplitCounts(59_000, 1_000, 10_000)

    def test_train_beside_an_explicit_validation_is_all_the_rest(self) -> None:
        assert resolve_splits(CIFAR10, validation=100) == SplitCounts(49_900, 100, 10_000)

    def test_two_missing_splits_share_what_a_large_train_leaves(self) -> None:
        assert resolve_splits(DIGITS, train=1_787) == SplitCounts(1_787, 5, 5)

    def test_synthetic_is_made_as_large_as_it_is_asked_for(self) -> None:
        assert resolve_splits(SYNTHETIC, train=50_000).total == 50_600


class TestFaults:
    def test_too_many_validation_images_are_named_with_what_is_left(self) -> None:
        assert refused(FASHION_MNIST, train=50_000, validation=70_000) == {
            "validation": "validation 70000 asked, 10000 are left of 60000 after train 50000"
        }

    def test_every_fault_is_named_at_once(self) -> None:
        assert refused(FASHION_MNIST, train=60_001, validation=60_002, test=10_001) == {
            "train": "train 60001 asked, 60000 are left of 60000",
            "validation": "validation 60002 asked, 60000 are left of 60000",
            "test": "test 10001 asked, the test split of fashion-mnist has 10000",
        }

    def test_a_train_that_leaves_nothing_is_named(self) -> None:
        assert refused(DIGITS, train=1_796) == {
            "train": "train 1796 asked leaves 1 of 1797 for validation and test; "
            "at least 2 must be left"
        }

    def test_nothing_below_one_image_is_taken(self) -> None:
        assert set(refused(DIGITS, train=0, test=-3)) == {"train", "test"}

    def test_synthetic_has_an_upper_bound(self) -> None:
        assert "at most 100000" in refused(SYNTHETIC, train=99_999)["train"]


@given(st.sampled_from(IMAGES), FIGURES, FIGURES, FIGURES)
def test_what_is_resolved_can_always_be_drawn(
    name: str, train: int | None, validation: int | None, test: int | None
) -> None:
    facts = FACTS[name]
    counts, faults = resolved(facts, train=train, validation=validation, test=test)
    if counts is None:
        assert faults
        assert set(faults) <= {"train", "validation", "test"}
        return
    assert min(counts.train, counts.validation, counts.test) >= 1
    for asked, got in zip(
        (train, validation, test), (counts.train, counts.validation, counts.test), strict=True
    ):
        assert asked is None or asked == got
    if facts.synthetic:
        assert counts.total <= facts.most
    elif facts.test:
        assert counts.train + counts.validation <= facts.train
        assert counts.test <= facts.test
    else:
        assert counts.total <= facts.train


class TestAtHand:
    def test_what_ships_with_the_packages_is_always_at_hand(self, tmp_path: Path) -> None:
        assert is_at_hand("digits", tmp_path)
        assert is_at_hand("synthetic", tmp_path)

    def test_a_file_only_set_is_at_hand_once_its_file_lies_there(self, tmp_path: Path) -> None:
        assert not is_at_hand("cifar10", tmp_path)
        (tmp_path / "data/cifar10").mkdir(parents=True)
        (tmp_path / "data/cifar10/cifar-10-binary.tar.gz").touch()
        assert is_at_hand("cifar10", tmp_path)

    def test_a_decoded_set_is_at_hand_without_its_files(self, tmp_path: Path) -> None:
        (tmp_path / "cache").mkdir()
        (tmp_path / "cache/cifar10-32x3.json").touch()
        assert is_at_hand("cifar10", tmp_path)


@pytest.mark.parametrize("name", IMAGES)
def test_the_facts_are_whole(name: str) -> None:
    facts = FACTS[name].as_json()
    assert facts["name"] == name
    assert len(set(facts["classes"])) == len(facts["classes"]) == 10
    assert all(facts[field] for field in ("title", "summary", "licence", "source", "ways"))
    assert facts["synthetic"] == (name == "synthetic")
