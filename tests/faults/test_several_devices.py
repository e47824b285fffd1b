"""A job of two processes: its results, the death of either process, and its stops."""
# pyright: reportOptionalSubscript=false

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from box.processes import processes_of
from shared.broker import ring
from shared.jobs import control
from shared.jobs.submission import Submission, submit
from tests.box_driver import BoxDriver, is_alive
from tests.fakes.admission import filled
from tests.faults.conftest import LONG, SPEC, STEPS_PER_EPOCH

pytestmark = pytest.mark.faults

#: Without dropout, whose random numbers depend on the number of processes.
ARCHITECTURE = {**SPEC["architecture"], "dropout": 0.0, "head_dropout": 0.0}
ALONE: dict[str, Any] = {**SPEC, "architecture": ARCHITECTURE, "diagnostics": "off"}
TOGETHER: dict[str, Any] = {**ALONE, "resources": {"gpus": 2}}
ENDLESS: dict[str, Any] = {**LONG, "resources": {"gpus": 2}}


@pytest.fixture
def box(box: BoxDriver) -> Iterator[BoxDriver]:
    yield box
    box.cancel_all()
    assert not further_ranks(box)


@pytest.fixture(scope="module")
def alone(session_box: BoxDriver) -> dict[str, Any]:
    """The metrics of `ALONE`."""
    if not session_box.is_running("worker"):
        session_box.start("worker")
    job = session_box.finish(session_box.submit(ALONE))
    assert job.state == "succeeded", job.failure
    return job.metrics


def further_ranks(box: BoxDriver) -> list[int]:
    """Return the processes of all ranks after the first on this box."""
    commands = processes_of(box.settings.home)
    return [pid for pid, line in commands.items() if "worker.runner.further_rank" in line.split()]


def started(box: BoxDriver, spec: dict[str, Any], step: int = 0) -> tuple[str, int, int]:
    """Start a job and wait for a step; return the job, its runner and its second rank."""
    job_id = box.submit(spec)
    runner = box.runner(job_id)
    box.wait_until(lambda: box.last_step(job_id) > step, f"a checkpoint after step {step}")
    (rank,) = further_ranks(box)
    return job_id, runner, rank


def assert_same_metrics(metrics: dict[str, Any], expected: dict[str, Any]) -> None:
    timed = {"seconds", "images_per_second"}
    assert metrics.keys() == expected.keys()
    for name in metrics.keys() - timed:
        assert metrics[name] == pytest.approx(expected[name], rel=0.02, abs=0.01), name


def test_after_the_death_of_a_rank_the_job_resumes_and_has_the_results_of_one_process(
    box: BoxDriver, alone: dict[str, Any]
) -> None:
    job_id, runner, rank = started(box, TOGETHER, STEPS_PER_EPOCH)
    os.kill(rank, signal.SIGKILL)
    box.wait_until(lambda: not is_alive(runner), "the end of the runner")
    job = box.finish(job_id)
    assert job.state == "succeeded", job.failure
    first, second = box.attempts(job_id)
    assert (first.outcome, first.exit_code) == ("worker_lost", -signal.SIGKILL)
    assert second.first_step >= STEPS_PER_EPOCH
    assert job.deaths == 0
    assert job.result["resumed_inexact"] is False
    assert_same_metrics(job.metrics, alone)


def test_no_rank_outlives_the_runner_and_a_cancelled_job_has_no_process(box: BoxDriver) -> None:
    job_id, runner, rank = started(box, ENDLESS)
    os.kill(rank, signal.SIGSTOP)  # a rank that can do nothing itself
    os.kill(runner, signal.SIGKILL)
    box.wait_until(lambda: not is_alive(rank), "the end of the rank", timeout_seconds=5)
    box.wait_until(lambda: len(box.attempts(job_id)) == 2, "a second attempt")
    box.wait_until(lambda: len(further_ranks(box)) == 1, "the rank of the second attempt")
    box.cancel(job_id)
    assert box.finish(job_id).state == "cancelled"
    assert not further_ranks(box)


@pytest.mark.long
def test_a_rank_that_crashes_is_a_crash_of_the_attempt(box: BoxDriver) -> None:
    job_id, _, rank = started(box, ENDLESS)
    os.kill(rank, signal.SIGSEGV)
    box.wait_until(lambda: len(box.attempts(job_id)) == 2, "a second attempt")
    assert box.attempts(job_id)[0].outcome == "crashed"
    assert box.job(job_id).deaths == 1


@pytest.mark.long
def test_a_job_paused_with_two_processes_resumes_with_one(
    box: BoxDriver, alone: dict[str, Any]
) -> None:
    job_id, runner, rank = started(box, TOGETHER, STEPS_PER_EPOCH)
    with box.database.write() as connection:
        control.request_pause(connection, job_id)
    box.wait_until(lambda: box.job(job_id).state == "paused", "the pause")
    assert not is_alive(runner)
    assert not is_alive(rank)
    box.cancel(job_id)
    with box.database.write() as connection:
        origin = control.get_retry_origin(connection, job_id)
        submission = Submission(
            owner="admin", spec=filled(ALONE), retry_of=job_id, resume_from=origin.checkpoint
        )
        retry, _ = submit(connection, submission)
    ring(box.celery)
    job = box.finish(retry)
    assert job.state == "succeeded", job.failure
    assert box.attempts(retry)[0].first_step >= STEPS_PER_EPOCH
    assert job.result["resumed_inexact"] is True
    assert_same_metrics(job.metrics, alone)


@pytest.mark.long
def test_a_drained_job_of_two_processes_continues_with_the_next_worker(
    box: BoxDriver, alone: dict[str, Any]
) -> None:
    job_id, _, rank = started(box, TOGETHER, STEPS_PER_EPOCH)
    box.end("worker")
    assert not is_alive(rank)
    assert box.attempts(job_id)[0].outcome == "drained"
    box.start("worker")
    job = box.finish(job_id)
    assert job.state == "succeeded", job.failure
    assert_same_metrics(job.metrics, alone)


@pytest.mark.long
def test_a_job_of_two_processes_survives_the_death_of_its_worker(
    box: BoxDriver, alone: dict[str, Any]
) -> None:
    job_id, runner, rank = started(box, TOGETHER)
    box.kill("worker")
    box.start("worker")
    job = box.finish(job_id)
    assert job.state == "succeeded", job.failure
    assert len(box.attempts(job_id)) == 1
    assert not is_alive(runner)
    assert not is_alive(rank)
    assert_same_metrics(job.metrics, alone)


@pytest.mark.long
def test_two_processes_prepare_data_and_fine_tune_as_one(box: BoxDriver) -> None:
    """No cache has images of this size yet, so both processes prepare them at the same time."""
    stages = [
        {"name": "head", "train": "head", "epochs": 1},
        {"name": "all", "train": "all", "epochs": 1},
    ]
    tuned: dict[str, Any] = {
        **ALONE,
        "dataset": {"name": "digits", "image_size": 12},
        "fine_tuning": {"head": {"dropout": 0.0}, "stages": stages},
        "training": {"batch_size": 8},
    }
    found = []
    for gpus in (2, 1):
        job = box.finish(box.submit({**tuned, "resources": {"gpus": gpus}}))
        assert job.state == "succeeded", job.failure
        found.append(job.metrics)
    assert_same_metrics(*found)
