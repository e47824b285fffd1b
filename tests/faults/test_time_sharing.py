"""Jobs of a real box that give way to waiting jobs."""

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from shared import tables
from shared.broker import ring
from shared.clock import now
from shared.jobs import control, time_sharing
from shared.jobs.planning.box import Rank
from shared.jobs.planning.yielding import Yield
from tests.box_driver import BoxDriver, is_alive
from tests.faults.conftest import LONG, SHORT, SPEC
from tests.faults.suspended_process import suspend, unsuspend

pytestmark = pytest.mark.faults


def _request(box: BoxDriver, job_id: str, to: str) -> None:
    with box.database.write() as connection:
        found = Yield(job_id, box.job(job_id).attempt, to, Rank.NORMAL)
        assert time_sharing.request_yield(connection, found)


def _fill_slots(box: BoxDriver) -> tuple[str, int, str]:
    """Fill both slots of the box; return the second job, its runner and a job that waits.

    The first job is endless, since the second may end before another runner has started.
    """
    box.runner(box.submit(LONG))
    job_id = box.submit(SPEC)
    pid = box.runner(job_id)
    return job_id, pid, box.submit(SHORT, owner="ben")


def test_a_job_that_gives_way_comes_back_with_the_outcome_of_an_undisturbed_job(
    box: BoxDriver, undisturbed: dict[str, Any]
) -> None:
    job_id, pid, waiting = _fill_slots(box)
    box.wait_until(lambda: box.step(job_id) > 20, "some steps")
    _request(box, job_id, waiting)
    box.runner(waiting)
    assert not is_alive(pid)
    assert box.last_step(job_id) >= box.step(job_id), "no step was lost"
    assert box.finish(waiting).state == "succeeded"
    assert box.finish(job_id).state == "succeeded"
    outcomes = [attempt.outcome for attempt in box.attempts(job_id)]
    assert outcomes == ["yielded", "completed"]
    assert box.outcome(job_id) == undisturbed


@pytest.mark.long
@pytest.mark.parametrize("is_later", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("other", ["kill", "cancel", "pause", "drain"])
def test_a_yield_and_another_stop_at_the_same_time(
    box: BoxDriver, undisturbed: dict[str, Any], other: str, is_later: bool
) -> None:
    """The runner notices nothing until both are requested."""
    job_id, pid, waiting = _fill_slots(box)
    box.wait_until(lambda: box.last_step(job_id) > 0, "a checkpoint")
    suspend(box, pid)
    steps = [lambda: _request(box, job_id, waiting), lambda: _stop(box, job_id, pid, other)]
    if is_later or other in {"kill", "drain"}:  # after these there is no attempt to request
        steps[0]()
        if not is_later:
            unsuspend(pid)
        steps[1]()
    else:
        steps[1]()
        with box.database.write() as connection:
            found = Yield(job_id, 1, waiting, Rank.NORMAL)
            assert not time_sharing.request_yield(connection, found)
    if other != "kill":
        unsuspend(pid)
    if other == "drain":
        assert box.end("worker") == 0
        box.start("worker")
    if other == "cancel":
        assert box.finish(job_id).state == "cancelled"
        return
    if other == "pause":
        box.wait_until(lambda: box.job(job_id).state == "paused", "the pause")
        with box.database.write() as connection:
            control.resume(connection, job_id)
        ring(box.celery)
    assert box.finish(waiting).state == "succeeded"
    assert box.finish(job_id).state == "succeeded"
    assert box.outcome(job_id) == undisturbed


def _stop(box: BoxDriver, job_id: str, pid: int, other: str) -> None:
    if other == "kill":
        os.kill(pid, signal.SIGKILL)
    elif other == "drain":
        os.kill(pid, signal.SIGTERM)
    else:
        request = {"cancel": control.request_cancel, "pause": control.request_pause}[other]
        with box.database.write() as connection:
            request(connection, job_id)


@pytest.fixture
def shared_box() -> Iterator[BoxDriver]:
    """A box with one slot and a short quantum, and two people."""
    home = Path(tempfile.mkdtemp(prefix="trainshed-sharing-"))
    settings = {"TRAINSHED_CPU_SLOTS": "1", "TRAINSHED_QUANTUM_SECONDS": "5"}
    driver = BoxDriver(home, **settings)
    try:
        with driver.database.write() as connection:
            for name in ("ada", "ben"):
                user = {"name": name, "role": "member", "limits": {}, "created_at": now()}
                connection.execute(sa.insert(tables.users), user)
        driver.start("broker")
        driver.start("worker")
        yield driver
    finally:
        driver.close()
        shutil.rmtree(home, ignore_errors=True)


@pytest.mark.long
def test_a_job_that_gives_way_three_times_by_itself(
    shared_box: BoxDriver, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ben's short jobs come while Ada's long job runs; its quantum is 19 of its switches."""
    box, spec = shared_box, {**SPEC, "training": {"epochs": 120, "batch_size": 8}}
    undisturbed = box.submit(spec, owner="ada")
    assert box.finish(undisturbed).state == "succeeded"
    job_id = box.submit(spec, owner="ada")
    for number in (1, 2, 3):
        box.wait_until(lambda number=number: len(box.attempts(job_id)) == number, "a start")
        box.runner(job_id)
        short = box.submit(SHORT, owner="ben")
        assert box.finish(short).state == "succeeded"
    assert box.finish(job_id).state == "succeeded"
    attempts = box.attempts(job_id)
    assert [attempt.outcome for attempt in attempts] == ["yielded"] * 3 + ["completed"]
    switches = [attempt.switch_seconds or 0.0 for attempt in attempts]
    seconds = _device_seconds(box, job_id)
    alone = _device_seconds(box, undisturbed)
    with capsys.disabled():
        overhead = f"switches {sum(switches) / seconds:.1%} of {seconds:.0f} s"
        against = f"{seconds / alone - 1:+.1%} against {alone:.0f} s alone"
        sys.stderr.write(f"\nthree yields: {overhead}, {against}\n")
    for attempt, switch in zip(attempts[:3], switches, strict=False):
        assert attempt.ended_at is not None
        assert (attempt.ended_at - attempt.started_at).total_seconds() >= 5
        assert switch > 0
    found, expected = box.outcome(job_id), box.outcome(undisturbed)
    different = {key for key in expected if found[key] != expected[key]}
    assert found["weights"] == expected["weights"]
    assert different <= {"findings"}, (found["findings"], expected["findings"])
    assert sum(switches) <= 0.05 * seconds


def _device_seconds(box: BoxDriver, job_id: str) -> float:
    return sum(
        (attempt.ended_at - attempt.started_at).total_seconds()
        for attempt in box.attempts(job_id)
        if attempt.ended_at is not None
    )
