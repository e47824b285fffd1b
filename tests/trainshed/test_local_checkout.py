"""The place of a job that waits, as the command line shows it."""

from typing import Any

import pytest
from rich.console import Console

from trainshed import show

JOB: dict[str, Any] = {
    **dict.fromkeys(("name", "phase", "reason", "device", "mlflow_run_id"), ""),
    **dict.fromkeys(("retry_of", "started_at", "finished_at", "progress", "failure")),
    "id": "job_1",
    "state": "queued",
    "tags": {},
    "attempt": 0,
    "created_at": "2026-01-02T03:04:05.678Z",
    "metrics": {},
    "spec": {"dataset": {"name": "digits"}, "architecture": {"name": "mlp"}},
}


@pytest.mark.parametrize("place", [7, None])
def test_it_is_shown_where_it_is_known(place: int | None) -> None:
    console = Console(width=200, record=True)
    one = {**JOB, "queue_position": place}
    show.jobs(console, [one])
    show.job(console, one)
    text = console.export_text()
    assert "None" not in text
    assert text.count("place 7") == (0 if place is None else 2)
    assert text.count("queued") == 2
