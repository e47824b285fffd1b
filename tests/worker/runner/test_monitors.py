"""What a job does with the metrics that it monitors, from its specification to its test results."""

from typing import Any

import pytest

from shared.jobs.rows import JobRow
from tests.worker.runner.jobs import Jobs
from worker.assignment import ExitCode

DIGITS: dict[str, Any] = {"dataset": "digits", "architecture": "mlp"}
#: Few images and a high rate, so that the best and the last epoch differ.
RESTLESS: dict[str, Any] = {
    "dataset": {"name": "digits", "train": 64, "validation": 64, "test": 300},
    "architecture": {"name": "mlp", "hidden_units": [16]},
    "optimizer": {"name": "sgd", "learning_rate": 0.8},
    "training": {"batch_size": 16, "epochs": 8},
}


def _run(jobs: Jobs, **fields: Any) -> JobRow:
    """Run a job to its end."""
    job_id = jobs.submit({**DIGITS, **fields})
    assert jobs.run() == ExitCode.DONE
    return jobs.job(job_id)


def _values(jobs: Jobs, job: JobRow, name: str) -> list[float]:
    return [row.value for row in jobs.metrics(job.id, name)]


class TestDirection:
    def test_early_stopping_on_an_accuracy_maximizes_it(self, jobs: Jobs) -> None:
        stopping = {"monitor": "val_accuracy", "patience": 3, "restore_best": True}
        job = _run(jobs, training={"epochs": 15, "early_stopping": stopping})
        assert job.spec["training"]["early_stopping"]["mode"] == "max"
        assert job.result is not None
        assert job.result["epochs"] > 4
        assert job.result["test"]["last"]["accuracy"] >= 0.9
        accuracies = _values(jobs, job, "val_accuracy")
        assert job.best["val_accuracy"]["value"] == max(accuracies)

    def test_plateau_of_an_accuracy_keeps_the_rate_while_it_rises(self, jobs: Jobs) -> None:
        schedule = {"name": "reduce_on_plateau", "monitor": "val_accuracy", "patience": 2}
        optimizer = {"name": "sgd", "learning_rate": 0.01, "schedule": schedule}
        job = _run(jobs, training={"epochs": 15}, optimizer=optimizer)
        assert job.spec["optimizer"]["schedule"]["mode"] == "max"
        assert _values(jobs, job, "learning_rate")[:5] == [0.01] * 5
        assert job.result is not None
        assert job.result["test"]["last"]["accuracy"] >= 0.9


@pytest.mark.parametrize(
    ("rules", "tested"),
    [
        (
            [{"monitor": "val_accuracy"}, {"monitor": "train_loss"}],
            "best_val_accuracy",
        ),
        (
            [{"monitor": "train_loss"}, {"monitor": "val_accuracy"}],
            "best_train_loss",
        ),
        # The initial weights and a series are kept, not tested.
        (
            [{"epoch": 0}, {"every_epochs": 3}, {"monitor": "val_accuracy"}],
            "best_val_accuracy",
        ),
        ([{"epoch": 0}, {"every_epochs": 3}], "last"),
        ([], "last"),
    ],
    ids=["accuracy first", "loss first", "monitor after others", "no monitor", "no rule"],
)
def test_test_metrics_are_those_of_the_first_rule_that_monitors_a_metric(
    jobs: Jobs, rules: list[Any], tested: str
) -> None:
    job = _run(jobs, **RESTLESS, checkpoints=rules)
    assert job.result is not None
    summary = job.result["test"]
    assert {*summary} == {f"best_{rule['monitor']}" for rule in rules if "monitor" in rule} | {
        "last"
    }
    expected = {
        f"test_{name}": value
        for name, value in summary[tested].items()
        if name not in {"checkpoint", "epoch", "step"}
    }
    assert {n: v for n, v in job.metrics.items() if n.startswith("test_")} == expected
    assert summary["last"]["epoch"] == RESTLESS["training"]["epochs"]
    if len(summary) > 2:
        losses = {round(row["loss"], 6) for row in summary.values()}
        assert len(losses) > 1, "the checkpoints cannot be distinguished"
