from typing import Any

import pytest
from rich.console import Console

from trainshed.tables import print_datasets, print_job, print_jobs

JOB: dict[str, Any] = {
    **dict.fromkeys(("name", "phase", "reason", "device", "mlflow_run_id"), ""),
    **dict.fromkeys(("retry_of", "started_at", "finished_at", "progress", "failure", "ending")),
    "id": "job_1",
    "state": "queued",
    "tags": {},
    "attempt": 0,
    "created_at": "2026-01-02T03:04:05.678Z",
    "metrics": {},
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


def test_datasets_are_shown_with_their_shape_or_their_files() -> None:
    images = {
        "id": "digits", "summary": "real scans", "is_available": True,
        "image_size": 8, "channels": 1, "train": 1438, "test": 359, "classes": ["0", "1"],
    }  # fmt: skip
    table = {**images, "id": "table", "is_available": False, "files": ["flowers.csv"]}
    console = Console(width=200, record=True)
    print_datasets(console, [images, table])
    rows = [line.split() for line in console.export_text().splitlines() if line.startswith("│")]
    assert [word for word in rows[0] if word != "│"] == [
        "digits",
        "1,797",
        "2",
        "8×8×1",
        "yes",
        "real",
        "scans",
    ]
    assert [word for word in rows[1] if word != "│"] == [
        "table",
        "flowers.csv",
        "no",
        "real",
        "scans",
    ]


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
