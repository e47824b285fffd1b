"""An analysis whose runner is killed, whose worker stops, and that is cancelled."""

import os
import signal
from typing import Any

import pytest

from shared.broker import ring
from shared.jobs import analyses, queries
from shared.jobs.analyses import NewAnalysis
from tests.box_driver import BoxDriver, is_alive
from tests.faults.conftest import SHORT
from worker.registry import analyses as kinds

pytestmark = pytest.mark.faults

#: Some seconds, and far longer than any test waits.
SECONDS: dict[str, Any] = {"directions": 5, "points": 101, "grid": 51, "samples": 1000}
ENDLESS: dict[str, Any] = {"directions": 20, "points": 501, "grid": 101, "samples": 1_000_000}


def _start(box: BoxDriver, parameters: dict[str, Any]) -> str:
    """Train a network, and request the analysis of its last checkpoint."""
    job = box.finish(box.submit(SHORT))
    with box.database.write() as connection:
        rows = queries.list_checkpoints(connection, job.id)
        new = NewAnalysis(
            owner="admin",
            subject=job,
            kind="loss_surface",
            checkpoint=next(row for row in rows if row.kind == "last"),
            checkpoint_name="last",
            parameters={**kinds.get("loss_surface").defaults, **parameters},
            memory_mib=1.0,
        )
        analysis_id, _ = analyses.submit(connection, new)
    ring(box.celery)
    return analysis_id


def _wait_for_progress(box: BoxDriver, analysis_id: str) -> int:
    """Return the runner of an analysis that has reported progress."""
    runner = box.runner(analysis_id)
    box.wait_until(lambda: box.step(analysis_id) > 0, "progress")
    return runner


def test_an_analysis_whose_runner_is_killed_is_taken_up_again(box: BoxDriver) -> None:
    analysis_id = _start(box, SECONDS)
    os.kill(_wait_for_progress(box, analysis_id), signal.SIGKILL)
    row = box.finish(analysis_id)
    assert row.state == "succeeded", row.failure
    assert [attempt.outcome for attempt in box.attempts(analysis_id)] == [
        "worker_lost",
        "completed",
    ]
    with box.database.read() as connection:
        names = {row.name for row in queries.list_artifacts(connection, analysis_id)}
    assert {"loss_surface.npz", "surface.png", "surface.svg"} <= names


@pytest.mark.long
def test_a_worker_that_stops_gives_it_back_and_the_next_worker_takes_it(box: BoxDriver) -> None:
    analysis_id = _start(box, SECONDS)
    _wait_for_progress(box, analysis_id)
    box.end("worker")
    assert box.job(analysis_id).state == "queued"
    box.start("worker")
    row = box.finish(analysis_id)
    assert row.state == "succeeded", row.failure
    assert box.attempts(analysis_id)[0].outcome == "drained"


@pytest.mark.long
def test_a_cancelled_analysis_ends_soon_and_its_process_is_gone(box: BoxDriver) -> None:
    analysis_id = _start(box, ENDLESS)
    runner = _wait_for_progress(box, analysis_id)
    box.cancel(analysis_id)
    row = box.finish(analysis_id)
    assert (row.state, row.result) == ("cancelled", None)
    assert not is_alive(runner)
    assert box.attempts(analysis_id)[-1].outcome == "cancelled_by_user"
