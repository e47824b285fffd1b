"""`--set PATH=VALUE`."""

from typing import Any

import pytest

from trainshed.errors import WrongUsage
from trainshed.spec_changes import with_changes

SPEC: dict[str, Any] = {
    "dataset": "digits",
    "regularizers": {"l2": 0.01, "mixup": True},
    "checkpoints": [{"monitor": "val_loss"}, {"epoch": 0}],
}


@pytest.mark.parametrize(
    ("change", "field", "value"),
    [
        ("training.epochs=3", "training", {"epochs": 3}),
        ("/training/epochs=3", "training", {"epochs": 3}),
        ("name=a=b", "name", "a=b"),
        ("name=", "name", ""),
        ('name="7"', "name", "7"),
        ("training.deterministic=false", "training", {"deterministic": False}),
        ("dataset.train=100", "dataset", {"name": "digits", "train": 100}),
        ("regularizers.l2=null", "regularizers", {"l2": None, "mixup": True}),
        ("regularizers.mixup.alpha=1", "regularizers", {"l2": 0.01, "mixup": {"alpha": 1}}),
        ("checkpoints.1.epoch=5", "checkpoints", [{"monitor": "val_loss"}, {"epoch": 5}]),
        ("/tags/a~1b~0c=x", "tags", {"a/b~c": "x"}),
    ],
)
def test_a_change_sets_one_field(change: str, field: str, value: Any) -> None:
    assert with_changes(SPEC, [change]) == {**SPEC, field: value}


def test_changes_follow_each_other_and_leave_the_original() -> None:
    before = repr(SPEC)
    changed = with_changes(SPEC, ["optimizer=adam", "optimizer.learning_rate=0.1"])
    assert changed["optimizer"] == {"name": "adam", "learning_rate": 0.1}
    assert repr(SPEC) == before


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ("training.epochs", "must be PATH=VALUE"),
        ("=3", "must be PATH=VALUE"),
        ("regularizers.l2.only=x", "0.01, which has no fields"),
        ("checkpoints.2.epoch=1", "entries 0 to 1"),
        ("checkpoints.last=1", "not an entry"),
    ],
)
def test_an_impossible_change_is_refused(change: str, text: str) -> None:
    with pytest.raises(WrongUsage, match=text):
        with_changes(SPEC, [change])
