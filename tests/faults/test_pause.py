"""Pausing and resuming a running job of a real box."""

import os
import signal
import time
from typing import Any

import pytest

from shared.broker import ring
from shared.jobs import control
from tests.box_driver import BoxDriver, is_alive
from tests.faults.conftest import LONG, SPEC, STEPS_PER_EPOCH
from tests.faults.suspended_process import suspend, unsuspend

pytestmark = pytest.mark.faults


def _pause(box: BoxDriver, job_id: str) -> None:
    with box.database.write() as connection:
        control.request_pause(connection, job_id)


def _resume(box: BoxDriver, job_id: str) -> None:
    with box.database.write() as connection:
        is_queued = control.resume(connection, job_id)
    if is_queued:
        ring(box.celery)


def _wait_until_paused(box: BoxDriver, job_id: str) -> None:
    box.wait_until(lambda: box.job(job_id).state == "paused", "the pause")


def test_a_job_paused_twice_within_epochs_has_the_outcome_of_an_undisturbed_job(
    box: BoxDriver, undisturbed: dict[str, Any]
) -> None:
    job_id = box.submit(SPEC)
    for number in (1, 2):
        pid = box.runner(job_id)
        earlier = box.last_step(job_id)
        box.wait_until(lambda earlier=earlier: box.step(job_id) > earlier + 20, "some steps")
        _pause(box, job_id)
        _wait_until_paused(box, job_id)
        assert not is_alive(pid), "it says paused only once its process is gone"
        assert job_id not in box.runners().values()
        assert box.last_step(job_id) >= box.step(job_id), "no step was lost"
        assert box.attempts(job_id)[-1].outcome == "paused"
        assert len(box.attempts(job_id)) == number
        _resume(box, job_id)
    assert box.finish(job_id).state == "succeeded"
    assert box.last_step(job_id) % STEPS_PER_EPOCH == 0
    assert box.outcome(job_id) == undisturbed


@pytest.mark.long
def test_a_job_that_is_resumed_before_its_runner_noticed_trains_on(
    box: BoxDriver, undisturbed: dict[str, Any]
) -> None:
    job_id = box.submit(SPEC)
    pid = box.runner(job_id)
    box.wait_until(lambda: box.step(job_id) > 0, "a step")
    suspend(box, pid)
    _pause(box, job_id)
    assert box.job(job_id).phase == "pausing"
    _resume(box, job_id)
    unsuspend(pid)
    assert box.finish(job_id).state == "succeeded"
    assert len(box.attempts(job_id)) == 1
    assert box.outcome(job_id) == undisturbed


@pytest.mark.long
def test_a_job_whose_runner_is_killed_while_it_pauses_is_paused_and_continues(
    box: BoxDriver, undisturbed: dict[str, Any]
) -> None:
    job_id = box.submit(SPEC)
    pid = box.runner(job_id)
    box.wait_until(lambda: box.last_step(job_id) > 0, "a checkpoint")
    suspend(box, pid)
    _pause(box, job_id)
    os.kill(pid, signal.SIGKILL)
    _wait_until_paused(box, job_id)
    time.sleep(1)
    assert job_id not in box.runners().values(), "a paused job is not started again"
    _resume(box, job_id)
    assert box.finish(job_id).state == "succeeded"
    assert box.outcome(job_id) == undisturbed


def test_a_job_that_pauses_while_its_worker_stops_is_still_paused_after_the_restart(
    box: BoxDriver,
) -> None:
    job_id = box.submit(LONG)
    pid = box.runner(job_id)
    box.wait_until(lambda: box.step(job_id) > 0, "a step")
    suspend(box, pid)
    _pause(box, job_id)
    unsuspend(pid)
    assert box.end("worker") == 0
    assert box.job(job_id).state == "paused"
    assert not is_alive(pid)
    box.start("worker")
    box.wait_until(lambda: "" in box.runners().values(), "a spare")
    assert box.job(job_id).state == "paused"
    box.cancel(job_id)
    assert box.job(job_id).state == "cancelled", "at once"


@pytest.mark.long
def test_a_paused_job_leaves_its_device_to_the_next_job(box: BoxDriver) -> None:
    """The box has two slots."""
    first, second = box.submit(LONG), box.submit(LONG)
    box.wait_until(lambda: {first, second} <= set(box.runners().values()), "both run")
    third = box.submit(LONG)
    _pause(box, first)
    box.runner(third)
    assert box.job(first).state == "paused"
