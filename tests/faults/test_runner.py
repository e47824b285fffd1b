"""What happens to a training whose process is killed, asked to end, given up or out of memory."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from shared.jobs import attempts
from shared.jobs.attempts import Lease
from tests.box_driver import BoxDriver, is_alive
from tests.faults.conftest import LONG, SHORT, SPEC, STEPS, STEPS_OF_AN_EPOCH
from tests.faults.pausing import pause, resume

pytestmark = pytest.mark.faults


def _stopped_inside_an_epoch(box: BoxDriver, job_id: str) -> int:
    """The job's runner, stopped past the first epoch and with a checkpoint inside a later one."""
    runner = box.runner(job_id)

    def is_stopped() -> bool:
        if box.last_step(job_id) <= STEPS_OF_AN_EPOCH:
            return False
        pause(box, runner)
        is_inside = bool(box.last_step(job_id) % STEPS_OF_AN_EPOCH)
        if not is_inside:
            resume(runner)
        return is_inside

    box.until(is_stopped, "a checkpoint inside an epoch")
    return runner


def _directories(box: BoxDriver, job_id: str) -> set[str]:
    return {
        box.storage.relative(path)
        for path in box.storage.job(job_id).glob("*/*/")
        if path.parent.name != "results"
    }


def test_a_killed_runner_s_job_comes_to_the_same_bit_for_bit(
    box: BoxDriver, undisturbed: dict[str, Any]
) -> None:
    job_id = box.submit(SPEC)
    os.kill(_stopped_inside_an_epoch(box, job_id), signal.SIGKILL)
    job = box.finish(job_id)
    assert job.state == "succeeded", job.failure
    first, second = box.attempts(job_id)
    assert (first.outcome, first.exit_code) == ("worker_lost", -signal.SIGKILL)
    assert second.first_step >= STEPS_OF_AN_EPOCH
    assert second.first_step % STEPS_OF_AN_EPOCH, "it went on from within the epoch"
    assert job.deaths == 0, "a kill from outside does not count"
    assert job.result["resumed_inexact"] is False
    assert box.outcome(job_id) == undisturbed
    used = {row.directory for row in box.checkpoints(job_id)}
    assert _directories(box, job_id) == used, "files that no checkpoint refers to"


def test_a_crash_counts_and_is_tried_again(box: BoxDriver) -> None:
    job_id = box.submit(LONG)
    runner = box.runner(job_id)
    box.until(lambda: box.step(job_id) > 0, "the first step")
    os.kill(runner, signal.SIGSEGV)
    box.until(lambda: len(box.attempts(job_id)) == 2, "a second attempt")
    assert box.attempts(job_id)[0].outcome == "crashed"
    assert box.job(job_id).deaths == 1
    box.cancel(job_id)
    assert box.finish(job_id).state == "cancelled"


def test_cancelled_is_said_only_once_the_process_is_gone(box: BoxDriver) -> None:
    job_id = box.submit(LONG)
    runner = box.runner(job_id)
    box.until(lambda: box.step(job_id) > 0, "the first step")
    pause(box, runner)
    box.cancel(job_id)
    assert box.job(job_id).state == "running"
    assert is_alive(runner)
    resume(runner)
    while box.job(job_id).state == "running":
        pass
    assert not is_alive(runner)
    assert box.job(job_id).state == "cancelled"
    assert box.attempts(job_id)[-1].outcome == "cancelled_by_user"
    assert job_id not in box.runners().values()
    lock = box.settings.locks / f"{job_id}.lock"
    box.until(lambda: not lock.exists(), "the end of its lock's file, which comes last")


def test_a_fenced_runner_writes_nothing_and_ends_itself(
    box: BoxDriver, undisturbed: dict[str, Any]
) -> None:
    """It is stopped, taken for dead, and wakes when another machine has its job."""
    job_id = box.submit(SPEC)
    zombie = _stopped_inside_an_epoch(box, job_id)
    with box.database.write() as connection:
        attempts.stop(connection, Lease(job_id, 1), "worker_lost")
        elsewhere = attempts.claim(
            connection, worker="elsewhere", host="elsewhere", device="cpu", devices=[], gpus=1
        )
    assert elsewhere is not None
    assert elsewhere.lease == Lease(job_id, 2)
    before = box.outcome(job_id)
    resume(zombie)
    box.until(
        lambda: _beat(box, elsewhere.lease) and _ended(box, zombie_of=job_id),
        "the zombie's end with exit code 75",
    )
    assert not is_alive(zombie)
    assert "no longer holds its job" in box.storage.log(job_id, 1).read_text()
    assert box.outcome(job_id) == before
    # The other machine shows no heartbeat any more: the reaper here takes the job back.
    job = box.finish(job_id)
    assert job.state == "succeeded", job.failure
    assert [one.outcome for one in box.attempts(job_id)] == [
        "worker_lost",
        "worker_lost",
        "completed",
    ]
    assert job.deaths == 0
    assert box.outcome(job_id) == undisturbed


def _beat(box: BoxDriver, lease: Lease) -> bool:
    """Show a heartbeat for another machine."""
    with box.database.write() as connection:
        attempts.heartbeat(connection, lease, pid=os.getpid(), progress=None)
    return True


def _ended(box: BoxDriver, *, zombie_of: str) -> bool:
    ended = [line for line in box.said("worker") if line["event"] == "runner exited"]
    return any((line["job"], line["code"]) == (zombie_of, 75) for line in ended)


def test_a_diverged_training_says_where_and_what_to_try(box: BoxDriver) -> None:
    spec = {
        "dataset": {"name": "digits"},
        "architecture": {"name": "mlp", "hidden_units": [64, 64]},
        "optimizer": {"name": "sgd", "learning_rate": 1000},
    }
    job = box.finish(box.submit(spec))
    assert (job.state, job.reason) == ("failed", "diverged")
    failure = job.failure
    assert failure["kind"] == "diverged"
    assert "at step " in failure["message"]
    assert "learning_rate" in failure["hint"]
    assert len(box.attempts(job.id)) == 1


def test_a_training_that_takes_too_long_leaves_a_checkpoint(box: BoxDriver) -> None:
    job = box.finish(box.submit({**LONG, "resources": {"max_runtime_seconds": 1}}))
    assert (job.state, job.failure["kind"]) == ("failed", "max_runtime")
    assert box.last_step(job.id) > 0
    assert "1 seconds" in job.failure["message"]


class TestPoisonedCheckpoint:
    def test_the_one_before_it_is_taken(self, box: BoxDriver, undisturbed: dict[str, Any]) -> None:
        job_id = box.submit(SPEC)
        runner = box.runner(job_id)
        box.until(lambda: box.last_step(job_id) > 2 * STEPS_OF_AN_EPOCH, "two epochs")
        pause(box, runner)
        rows = {row.kind: row for row in box.checkpoints(job_id)}
        assert rows["previous"].step < rows["last"].step
        _flip_a_bit(box.storage.path(rows["last"].directory) / "state.safetensors")
        os.kill(runner, signal.SIGKILL)
        job = box.finish(job_id)
        assert job.state == "succeeded", job.failure
        assert box.attempts(job_id)[1].first_step == rows["previous"].step
        notes = [one.data["text"] for one in box.events(job_id) if one.type == "note"]
        assert any("sha256" in note for note in notes), notes
        assert box.outcome(job_id) == undisturbed

    def test_without_one_that_can_be_read_it_starts_anew(
        self, box: BoxDriver, undisturbed: dict[str, Any]
    ) -> None:
        job_id = box.submit(SPEC)
        runner = _stopped_inside_an_epoch(box, job_id)
        for row in box.checkpoints(job_id):
            _flip_a_bit(box.storage.path(row.directory) / "weights.safetensors")
        os.kill(runner, signal.SIGKILL)
        assert box.finish(job_id).state == "succeeded"
        assert box.attempts(job_id)[1].first_step == 0
        assert box.outcome(job_id) == undisturbed


def _flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_memory_that_runs_out_is_a_failure_with_a_hint(box: BoxDriver) -> None:
    """Within a limit on the address space: while the network is made, and in a step."""
    box.end("worker")
    box.start("worker", TRAINSHED_RUNNER_MEMORY_MIB="1400")
    too_large = {
        "dataset": {"name": "digits"},
        "architecture": {"name": "mlp", "hidden_units": [20_000, 20_000]},
    }
    too_many = {
        "dataset": {"name": "digits", "image_size": 64, "channels": 3},
        "architecture": {"name": "vgg_small"},
        "training": {"epochs": 1, "batch_size": 1024},
    }
    jobs = [box.submit(spec) for spec in (too_large, too_many, SHORT)]
    try:
        for job_id in jobs[:2]:
            job = box.finish(job_id)
            assert (job.state, job.failure["kind"]) == ("failed", "out_of_memory")
            assert "batch_size" in job.failure["hint"]
            assert len(box.attempts(job_id)) == 1
        assert box.finish(jobs[2]).state == "succeeded"
    finally:
        box.end("worker")


def test_the_undisturbed_one_is_worth_comparing_with(undisturbed: dict[str, Any]) -> None:
    assert {step for _, step, _, _ in undisturbed["metrics"]} == {
        epoch * STEPS_OF_AN_EPOCH for epoch in range(1, 5)
    }
    assert undisturbed["weights"]["last", None][1] == STEPS
    assert set(undisturbed["predictions"]) == set(undisturbed["weights"])
