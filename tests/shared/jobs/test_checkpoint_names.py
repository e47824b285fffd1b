"""Names of checkpoints, and the lookup by id or name."""

import pytest

from shared.errors import NotFound
from shared.jobs.checkpoint_names import (
    checkpoint_name,
    default_checkpoint_name,
    find_checkpoint,
)
from tests.shared.rows import checkpoint_row

INITIAL = checkpoint_row("initial", 0)
BEST = checkpoint_row("best", 2, "val_loss")
SERIES = checkpoint_row("series", 3, epoch=7)
PREVIOUS = checkpoint_row("previous", 3)
LAST = checkpoint_row("last", 4)
CHECKPOINTS = [INITIAL, BEST, SERIES, PREVIOUS, LAST]


def test_checkpoint_is_found_by_its_name_and_by_its_id() -> None:
    named = [INITIAL, BEST, SERIES, LAST]
    names = [checkpoint_name(row) for row in named]
    assert names == ["initial", "best_val_loss", "epoch_7", "last"]
    assert [find_checkpoint(CHECKPOINTS, name) for name in names] == named
    assert [find_checkpoint(CHECKPOINTS, row.id) for row in named] == named


def test_previous_checkpoint_has_no_name_and_is_found_by_its_id_on_request() -> None:
    for name in ("previous", PREVIOUS.id):
        with pytest.raises(NotFound):
            find_checkpoint(CHECKPOINTS, name)
    with pytest.raises(NotFound):
        find_checkpoint(CHECKPOINTS, "previous", with_previous=True)
    assert find_checkpoint(CHECKPOINTS, PREVIOUS.id, with_previous=True) is PREVIOUS


def test_message_lists_each_existing_name_once() -> None:
    rows = [checkpoint_row("best", 1, "loss"), checkpoint_row("best", 2, "loss"), LAST]
    with pytest.raises(NotFound) as caught:
        find_checkpoint(rows, "best_accuracy")
    assert (
        caught.value.detail == "The job has no checkpoint 'best_accuracy'; it has best_loss, last."
    )
    with pytest.raises(NotFound, match="it has none yet"):
        find_checkpoint([], "last")


@pytest.mark.parametrize(
    ("monitors", "name"),
    [
        (["val_loss", "val_accuracy"], "best_val_loss"),
        ([None, "val_accuracy"], "best_val_accuracy"),
        ([None], "last"),
        ([], "last"),
    ],
)
def test_first_monitor_decides_the_default_checkpoint(
    monitors: list[str | None], name: str
) -> None:
    assert default_checkpoint_name(monitors) == name
