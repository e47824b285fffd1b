from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from tests.fakes.http_service import JOB_ID
from trainshed.job_tables import print_job, print_jobs

JOB: dict[str, Any] = {
    **dict.fromkeys(("name", "phase", "reason", "device", "mlflow_run_id"), ""),
    **dict.fromkeys(("retry_of", "started_at", "finished_at", "progress", "failure", "ending")),
    "id": JOB_ID,
    "state": "queued",
    "tags": {},
    "attempt": 0,
    "created_at": "2026-01-02T03:04:05.678Z",
    "metrics": {},
    "best": {},
    "result": None,
    "warnings": [],
    "spec": {"dataset": {"name": "digits"}, "architecture": {"name": "mlp"}},
}


@pytest.mark.parametrize("position", [7, None])
def test_queue_position_is_shown_if_it_is_known(position: int | None) -> None:
    console = Console(width=200, record=True)
    job = {**JOB, "queue_position": position}
    print_jobs(console, [job])
    print_job(console, job)
    text = console.export_text()
    assert "None" not in text
    assert text.count("position 7") == (0 if position is None else 2)
    assert text.count("queued") == 2


def test_job_that_cannot_be_read_is_shown_as_such() -> None:
    """The service returns null for what it cannot read; the other jobs are shown as usual."""
    console = Console(width=200, record=True)
    faults = [{"field": "spec", "detail": "is of type list"}]
    damaged = {**dict.fromkeys(JOB), "id": JOB_ID, "state": None, "unreadable": faults}
    print_jobs(console, [{**JOB, "queue_position": 1, "name": "whole"}, damaged])
    assert "whole" in console.export_text(clear=False)
    print_job(console, damaged)
    text = console.export_text()
    assert "unknown, unreadable" in text
    assert "spec is of type list" in text


def test_a_job_shows_how_it_ended() -> None:
    console = Console(width=200, record=True)
    print_job(console, {**JOB, "state": "succeeded", "ending": "finished all 20 epochs"})
    failure = {"kind": "diverged", "message": "The loss.", "hint": "Lower the rate."}
    ending = "failed at epoch 3 of 20 (diverged): The loss."
    print_job(console, {**JOB, "state": "failed", "failure": failure, "ending": ending})
    lines = [" ".join(line.split()) for line in console.export_text().splitlines()]
    assert "ended finished all 20 epochs" in lines
    assert lines[-2:] == [ending, "Lower the rate."]
    assert sum(ending in line for line in lines) == 1


BEST = {
    "val_loss": {"value": 1.5, "epoch": 3},
    "val_accuracy": {"value": 0.9, "epoch": 7},
}
TEST = {
    "last": {"epoch": 8, "loss": 1.75, "data_loss": 0.25, "accuracy": 0.86},
    "best_val_loss": {"epoch": 3, "loss": 1.25, "data_loss": 0.125, "accuracy": 0.875},
    "best_val_accuracy": {"epoch": 7, "loss": 1.375, "data_loss": 0.5, "accuracy": 0.885},
}
ENDED: dict[str, Any] = {
    **JOB,
    "state": "succeeded",
    "spec": {
        **JOB["spec"],
        "optimizer": {
            "name": "adam",
            "learning_rate": 0.001,
            "schedule": {"name": "cosine", "warmup": 5},
            "gradient_clipping": None,
        },
        "regularizers": {"l2": {"weight": 0.01, "only": None}, "mixup": {"alpha": 0.2}},
        "augmentation": {"rotation": {"degrees": 10}},
        "training": {"epochs": 60, "early_stopping": {"monitor": "val_loss", "patience": 3}},
        "checkpoints": [{"monitor": "val_loss"}, {"monitor": "val_accuracy"}],
        "fine_tuning": None,
    },
    "metrics": {"val_loss": 2.5, "val_data_loss": 0.5, "test_accuracy": 0.875},
    "best": BEST,
    "result": {"test": TEST},
    "progress": {"epoch": 8},
}


def _rows(console: Console) -> list[list[str]]:
    lines = console.export_text().splitlines()
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]


def test_the_list_shows_the_best_validation_value_the_test_value_and_the_age() -> None:
    console = Console(width=200, record=True)
    created_at = (datetime.now(UTC) - timedelta(minutes=5, seconds=30)).isoformat()
    print_jobs(console, [{**ENDED, "name": "a", "created_at": created_at}])
    row = [
        JOB_ID,
        "a",
        "succeeded",
        "90.00 % (7)",
        "87.50 %",
        "digits",
        "mlp",
        "5 min",
    ]
    assert row in _rows(console)


def test_the_list_names_a_value_that_is_not_the_accuracy() -> None:
    console = Console(width=200, record=True)
    metrics = {"test_loss": 0.5}
    print_jobs(console, [{**ENDED, "best": {"val_loss": BEST["val_loss"]}, "metrics": metrics}])
    assert _rows(console)[3][3:5] == ["loss 1.5000 (3)", "loss 0.5000"]


def test_a_job_shows_what_it_trains_with() -> None:
    console = Console(width=200, record=True)
    print_job(console, ENDED)
    lines = [" ".join(line.split()) for line in console.export_text().splitlines()]
    for line in (
        "optimizer adam (learning_rate 0.001)",
        "schedule cosine (warmup 5)",
        "regularizers l2 (weight 0.01), mixup (alpha 0.2)",
        "augmentation rotation (degrees 10)",
        "epochs 60",
        "early_stopping monitor val_loss, patience 3",
    ):
        assert line in lines


def test_each_stage_of_fine_tuning_has_its_own_optimizer() -> None:
    console = Console(width=200, record=True)
    stage = {"name": "warm_up", "train": "head", "epochs": 2, "optimizer": {"name": "rmsprop"}}
    fine_tuning = {"weights": {"job": "job_0"}, "head": {"dropout": 0.3}, "stages": [stage]}
    print_job(console, {**ENDED, "spec": {**ENDED["spec"], "fine_tuning": fine_tuning}})
    lines = [" ".join(line.split()) for line in console.export_text().splitlines()]
    assert "stage warm_up train head, epochs 2, optimizer rmsprop" in lines
    assert "weights job job_0" in lines
    assert not [line for line in lines if "adam" in line]


def test_each_value_of_a_job_names_its_epoch_or_its_checkpoint() -> None:
    console = Console(width=200, record=True)
    print_job(console, ENDED)
    rows = _rows(console)
    assert ["val_data_loss", "0.5000", "epoch 8"] in rows
    assert ["test_accuracy", "0.8750", "best_val_loss"] in rows
    assert ["last", "8", "", "1.7500", "0.2500", "86.00 %"] in rows
    assert ["best_val_loss", "3", "1.5000", "1.2500", "0.1250", "87.50 %"] in rows
    assert ["best_val_accuracy", "7", "90.00 %", "1.3750", "0.5000", "88.50 %"] in rows


def test_a_running_job_shows_the_best_so_far() -> None:
    console = Console(width=200, record=True)
    progress = {"epoch": 8, "fraction": 0.5}
    print_job(console, {**ENDED, "state": "running", "result": None, "progress": progress})
    rows = _rows(console)
    assert ["val_loss", "2.5000", "latest epoch"] in rows
    assert ["best_val_accuracy", "7", "90.00 %"] in rows


def test_without_a_penalty_the_data_loss_has_no_column() -> None:
    console = Console(width=200, record=True)
    test = {name: {**row, "data_loss": row["loss"]} for name, row in TEST.items()}
    print_job(console, {**ENDED, "result": {"test": test}})
    assert "test data loss" not in console.export_text()
