from typing import Any

import pytest

from tests.worker.experiments import experiment
from worker.training.fit import fit
from worker.training.reports import EpochEnded, StageEnded
from worker.training.stage_end import StageEnd

EARLY: dict[str, Any] = {"reason": "early_stopping", "monitor": "val_loss", "min_delta": 0.0}

AT_8 = "stopped early at epoch 8 of 60: val_loss "
AFTER_3 = "stopped early after 3 of its 10 epochs, at epoch 8: val_loss "


def _end(epoch: int, stage_epochs: int, planned_epochs: int, **fields: Any) -> StageEnd:
    counts = {"epoch": epoch, "stage_epochs": stage_epochs, "planned_epochs": planned_epochs}
    return StageEnd(**{"stage": "training", "reason": "epochs", **counts, **fields})


@pytest.mark.parametrize(
    ("end", "text"),
    [
        (_end(20, 20, 20), "finished all 20 epochs"),
        (_end(1, 1, 1), "finished its only epoch"),
        (
            _end(20, 20, 20, best_epoch=18, restored=True),
            "finished all 20 epochs; weights of epoch 18 restored",
        ),
        (
            _end(8, 8, 60, **EARLY, best_epoch=5, restored=True),
            f"{AT_8}has not improved since epoch 5; weights of epoch 5 restored",
        ),
        (
            _end(8, 8, 60, **{**EARLY, "min_delta": 0.01}, best_epoch=5),
            f"{AT_8}has not improved by more than 0.01 since epoch 5",
        ),
        (
            _end(8, 3, 10, **EARLY, best_epoch=6),
            f"{AFTER_3}has not improved since epoch 6",
        ),
        (_end(3, 3, 10, **EARLY), "stopped early at epoch 3 of 10: val_loss was never a number"),
        # Of an earlier version, which did not keep the epochs of a stage.
        (_end(0, 0, 0), "finished"),
        (_end(0, 0, 0, reason="early_stopping"), "stopped early"),
    ],
)
def test_the_end_of_a_stage_is_a_sentence(end: StageEnd, text: str) -> None:
    assert end.text == text


def test_an_early_stop_names_the_epoch_of_the_restored_weights() -> None:
    """A higher loss counts as better here, so the first epoch is the best."""
    stopping = {"monitor": "val_loss", "mode": "max", "patience": 2, "restore_best": True}
    training = experiment(architecture="linear", training={"epochs": 9, "early_stopping": stopping})
    reports = list(fit(training))
    losses = [report.metrics["val_loss"] for report in reports if isinstance(report, EpochEnded)]
    best = losses.index(max(losses)) + 1
    (ended,) = [report for report in reports if isinstance(report, StageEnded)]
    assert ended.end.text == (
        f"stopped early at epoch {best + 2} of 9: val_loss has not improved since epoch {best}; "
        f"weights of epoch {best} restored"
    )
