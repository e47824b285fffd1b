"""Monitored metrics: checkpoints, early stopping and schedules name metrics that the job has."""

from typing import Any

import pytest

from tests.fakes.admission import SPEC, faults, filled

PLATEAU = {"name": "reduce_on_plateau", "monitor": "f1"}
STAGE = {"name": "a", "epochs": 1, "early_stopping": {"monitor": "f1"}}


def pointers(**fields: Any) -> list[str]:
    return list(faults({**SPEC, **fields}))


def test_unknown_metric_is_reported_with_the_nearest_name() -> None:
    stopping = {"early_stopping": {"monitor": "val_los"}}
    detail = faults({**SPEC, "training": stopping})["/training/early_stopping/monitor"]
    assert detail.startswith(
        "`val_los` is not a metric of this job. Did you mean `val_loss`? Available: "
    )


@pytest.mark.parametrize(
    ("spec", "pointer"),
    [
        ({"checkpoints": [{"monitor": "f1", "mode": "max"}]}, "/checkpoints/0/monitor"),
        ({"optimizer": {"name": "sgd", "schedule": PLATEAU}}, "/optimizer/schedule/monitor"),
        (
            {"fine_tuning": {"stages": [STAGE]}},
            "/fine_tuning/stages/0/early_stopping/monitor",
        ),
    ],
    ids=["checkpoint", "schedule", "stage"],
)
def test_unknown_metric_is_reported_wherever_it_is_monitored(
    spec: dict[str, Any], pointer: str
) -> None:
    assert pointers(**spec) == [pointer]


def test_schedule_can_monitor_a_top_k_accuracy() -> None:
    schedule = {"name": "reduce_on_plateau", "monitor": "val_top_5_accuracy"}
    assert pointers(optimizer={"name": "sgd", "schedule": schedule}) == []


def test_metric_with_two_checkpoints_is_refused() -> None:
    checkpoints = [{"monitor": "val_loss", "mode": mode} for mode in ("min", "max")]
    assert faults({**SPEC, "checkpoints": checkpoints}) == {
        "/checkpoints/1/monitor": "`val_loss` has a checkpoint already; name each metric once"
    }


def test_checkpoint_after_a_faulty_checkpoint_keeps_its_index() -> None:
    checkpoints = [{"epoch": 1}, {"monitor": "f1", "mode": "max"}]
    assert pointers(checkpoints=checkpoints) == ["/checkpoints/0/epoch", "/checkpoints/1/monitor"]


def test_mixup_replaces_training_accuracy_by_its_mixed_variant() -> None:
    def monitor(metric: str) -> list[str]:
        checkpoints = [{"monitor": metric, "mode": "max"}]
        return pointers(regularizers={"mixup": {}}, checkpoints=checkpoints)

    assert monitor("train_accuracy") == ["/checkpoints/0/monitor"]
    assert monitor("train_mixed_accuracy") == monitor("val_accuracy") == []


def test_regression_keeps_its_best_checkpoints_by_loss_and_absolute_error() -> None:
    spec = filled({**SPEC, "dataset": {"name": "digits", "target": "rotation"}})
    assert spec["checkpoints"] == [
        {"monitor": "val_loss", "mode": "min"},
        {"monitor": "val_mean_absolute_error", "mode": "min"},
    ]
