"""Monitored metrics: checkpoints, early stopping and schedules name metrics that the job has."""

import json
from typing import Any

import pytest

from tests.fakes.admission import SPEC, faults, filled

PLATEAU = {"name": "reduce_on_plateau", "monitor": "f1"}
TEST_SPLIT = (
    "The test split is evaluated once, at the end; monitor a metric of the validation split, such "
    "as `val_loss`."
)
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
    ("monitor", "fields", "end"),
    [
        ("test_loss", {}, TEST_SPLIT),
        ("clipped_fraction", {}, "It is measured where every stage clips gradients."),
        ("val_top_3_accuracy", {}, "It is measured with 3 in `/metrics/top_k`."),
        ("val_top_1_accuracy", {}, "With k = 1 it is `val_accuracy`."),
        ("val_accuracy", {"dataset": {"name": "digits", "target": "rotation"}},
         "It is a metric of classification, and the job is a regression."),
    ],
)  # fmt: skip
def test_metric_that_the_job_lacks_is_refused_with_the_reason(
    monitor: str, fields: dict[str, Any], end: str
) -> None:
    spec = {**SPEC, **fields, "checkpoints": [{"monitor": monitor}]}
    detail = faults(spec)["/checkpoints/0/monitor"]
    assert detail == f"`{monitor}` is not a metric of this job. {end}"


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
    assert faults({**SPEC, "checkpoints": [{"monitor": "val_loss"}] * 2}) == {
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


def _filled_mode(monitor: str, **fields: Any) -> list[str]:
    """Return the modes that are filled in wherever the metric is monitored."""
    schedule = {"name": "reduce_on_plateau", "monitor": monitor}
    stage = {"early_stopping": {"monitor": monitor}, "optimizer": {"name": "sgd"}}
    stage["optimizer"]["schedule"] = schedule
    spec = filled(
        {
            **SPEC,
            "training": {"early_stopping": {"monitor": monitor, "mode": None}},
            "optimizer": {"name": "sgd", "schedule": schedule},
            "checkpoints": [{"monitor": monitor}],
            "fine_tuning": {
                "stages": [
                    {"name": "inherits", "epochs": 30},
                    {"name": "equal", "epochs": 30, **stage},
                ]
            },
            **fields,
        }
    )
    stages = spec["fine_tuning"]["stages"]
    assert stages[0]["early_stopping"] == stages[1]["early_stopping"]
    parts = [spec["training"]["early_stopping"], spec["optimizer"]["schedule"]]
    parts += [stage["early_stopping"] for stage in stages]
    parts += [stage["optimizer"]["schedule"] for stage in stages]
    return [part["mode"] for part in (*parts, *spec["checkpoints"])]


ROTATION = {"dataset": {"name": "digits", "target": "rotation"}}


@pytest.mark.parametrize(
    ("monitor", "fields", "mode"),
    [
        ("val_loss", {}, "min"),
        ("train_penalty", {}, "min"),
        ("generalization_gap", {}, "min"),
        ("val_accuracy", {}, "max"),
        ("val_top_5_accuracy", {}, "max"),
        ("train_top_3_accuracy", {"metrics": {"top_k": [3]}}, "max"),
        ("train_mixed_accuracy", {"regularizers": {"mixup": True}}, "max"),
        ("train_mixed_top_5_accuracy", {"regularizers": {"mixup": True}}, "max"),
        ("val_mean_absolute_error", ROTATION, "min"),
        ("images_per_second", {}, "max"),
    ],
)
def test_mode_follows_the_direction_of_the_metric(
    monitor: str, fields: dict[str, Any], mode: str
) -> None:
    assert _filled_mode(monitor, **fields) == [mode] * 7


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        ({"checkpoints": [{"monitor": "M", "mode": "W"}]}, "/checkpoints/0/mode"),
        (
            {"training": {"early_stopping": {"monitor": "M", "mode": "W"}}},
            "/training/early_stopping/mode",
        ),
        (
            {
                "optimizer": {
                    "name": "sgd",
                    "schedule": {"name": "reduce_on_plateau", "monitor": "M", "mode": "W"},
                }
            },
            "/optimizer/schedule/mode",
        ),
        (
            {
                "fine_tuning": {
                    "stages": [
                        {
                            "name": "a",
                            "epochs": 1,
                            "early_stopping": {"monitor": "M", "mode": "W"},
                        }
                    ]
                }
            },
            "/fine_tuning/stages/0/early_stopping/mode",
        ),
    ],
    ids=["checkpoint", "early stopping", "schedule", "stage"],
)
@pytest.mark.parametrize(
    ("monitor", "wrong", "direction", "right"),
    [
        ("val_accuracy", "min", "higher", "max"),
        ("val_top_5_accuracy", "min", "higher", "max"),
        ("val_loss", "max", "lower", "min"),
    ],
)
def test_mode_against_the_direction_is_refused(
    fields: dict[str, Any], at: str, monitor: str, wrong: str, direction: str, right: str
) -> None:
    text = json.dumps(fields).replace('"M"', f'"{monitor}"').replace('"W"', f'"{wrong}"')
    assert faults({**SPEC, **json.loads(text)}) == {
        at: f'is "{wrong}", but {direction} values of {monitor} are better; use "{right}", '
        "or leave mode out"
    }
    accepted = json.loads(text.replace(f'"{wrong}"', f'"{right}"'))
    assert faults({**SPEC, **accepted}) == {}


@pytest.mark.parametrize("monitor", ["learning_rate", "gradient_norm"])
def test_metric_without_a_direction_needs_a_mode(monitor: str) -> None:
    detail = f"is required, since {monitor} has no direction: neither higher nor lower values are "
    detail += 'better; use "min" or "max"'
    assert faults({**SPEC, "checkpoints": [{"monitor": monitor}]}) == {
        "/checkpoints/0/mode": detail
    }
    schedule = {"name": "reduce_on_plateau", "monitor": monitor}
    assert faults({**SPEC, "optimizer": {"name": "sgd", "schedule": schedule}}) == {
        "/optimizer/schedule/mode": detail
    }
    for mode in ("min", "max"):
        rule = {"monitor": monitor, "mode": mode}
        assert filled({**SPEC, "checkpoints": [rule]})["checkpoints"] == [rule]


def test_mode_without_a_monitor_is_refused() -> None:
    assert pointers(checkpoints=[{"every_epochs": 1, "mode": "min"}]) == ["/checkpoints/0"]


def test_filled_specification_is_accepted_again() -> None:
    spec = filled({**SPEC, "training": {"early_stopping": {"monitor": "val_accuracy"}}})
    assert filled(spec) == spec
