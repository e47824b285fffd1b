"""The explanation of a job in the terminal."""

import io

from rich.console import Console

from trainshed.queue_tables import explanation_view

AT = "2026-11-27T12:00:00Z"


def test_a_job_that_gave_way_says_when_each_attempt_started_and_gave_way() -> None:
    console = Console(width=100, record=True, file=io.StringIO())
    history = [
        {"at": AT, "attempt": 1, "rank": "normal", "backfilled": False},
        {"at": AT, "attempt": 1, "yields_to_rank": "normal"},
        {"at": AT, "attempt": 1, "ended": "yielded"},
    ]
    found = {"job": "job_1", "state": "running", "history": history, "summary": "It gives way."}
    console.print(explanation_view(found))
    lines = [line.strip() for line in console.export_text().splitlines()]
    assert lines[0] == "job_1 is running"
    assert lines[1].startswith("attempt 1 started")
    assert lines[2].startswith("attempt 1 was requested to give way")
    assert lines[3].startswith("attempt 1 gave way")
    assert lines[4] == "It gives way."
