"""A runner that is killed, crashes, is fenced, runs out of memory or finds damaged checkpoints."""
# pyright: reportOptionalSubscript=false

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from shared.jobs import attempts, liveness
from shared.jobs.attempts import Lease
from tests.box_driver import BoxDriver, is_alive
from tests.faults.conftest import LONG, SHORT, SPEC, STEPS, STEPS_PER_EPOCH
from tests.faults.suspended_process import suspend, unsuspend
from tests.shared.claiming import claim

pytestmark = pytest.mark.faults


def _suspend_inside_an_epoch(box: BoxDriver, job_id: str) -> int:
    """Suspend the job's runner once its last checkpoint lies inside the second or a later epoch."""
    runner = box.runner(job_id)

    def is_inside_an_epoch() -> bool:
        if box.last_step(job_id) <= STEPS_PER_EPOCH:
            return False
        suspend(box, runner)
        is_inside = bool(box.last_step(job_id) % STEPS_PER_EPOCH)
        if not is_inside:
            unsuspend(runner)
        return is_inside

    box.wait_until(is_inside_an_epoch, "a checkpoint inside an epoch")
    return runner


def _directories(box: BoxDriver, job_id: str) -> set[str]:
    return {
        box.storage.relative(path)
        for path in box.storage.job(job_id).glob("*/*/")
        if path.parent.name != "results"
    }


def test_a_job_whose_runner_is_killed_has_the_same_outcome_bit_for_bit(
    box: BoxDriver, undisturbed: dict[str, Any]
) -> None:
    job_id = box.submit(SPEC)
    os.kill(_suspend_inside_an_epoch(box, job_id), signal.SIGKILL)
    job = box.finish(job_id)
    assert job.state == "succeeded", job.failure
    first, second = box.attempts(job_id)
    assert (first.outcome, first.exit_code) == ("worker_lost", -signal.SIGKILL)
    assert second.first_step >= STEPS_PER_EPOCH
    assert second.first_step % STEPS_PER_EPOCH, "it resumed inside the epoch"
    assert job.deaths == 0, "a kill from outside does not count"
    assert job.result["resumed_inexact"] is False
    assert box.outcome(job_id) == undisturbed
    referenced = {row.directory for row in box.checkpoints(job_id)}
    assert _directories(box, job_id) == referenced, "files that no checkpoint refers to"


def test_a_crash_is_counted_and_the_job_is_tried_again(box: BoxDriver) -> None:
    job_id = box.submit(LONG)
    runner = box.runner(job_id)
    box.wait_until(lambda: box.step(job_id) > 0, "the first step")
    os.kill(runner, signal.SIGSEGV)
    box.wait_until(lambda: len(box.attempts(job_id)) == 2, "a second attempt")
    assert box.attempts(job_id)[0].outcome == "crashed"
    assert box.job(job_id).deaths == 1
    box.cancel(job_id)
    assert box.finish(job_id).state == "cancelled"


def test_a_job_is_cancelled_only_once_its_process_is_gone(box: BoxDriver) -> None:
    job_id = box.submit(LONG)
    runner = box.runner(job_id)
    box.wait_until(lambda: box.step(job_id) > 0, "the first step")
    suspend(box, runner)
    box.cancel(job_id)
    assert box.job(job_id).state == "running"
    assert is_alive(runner)
    unsuspend(runner)
    while box.job(job_id).state == "running":
        pass
    assert not is_alive(runner)
    assert box.job(job_id).state == "cancelled"
    assert box.attempts(job_id)[-1].outcome == "cancelled_by_user"
    assert job_id not in box.runners().values()
    lock = box.settings.locks / f"{job_id}.lock"
    box.wait_until(lambda: not lock.exists(), "the removal of its lock file, which comes last")


def test_a_fenced_runner_writes_nothing_and_exits(
    box: BoxDriver, undisturbed: dict[str, Any]
) -> None:
    """It is suspended and given up, and runs again when another machine has its job."""
    job_id = box.submit(SPEC)
    fenced = _suspend_inside_an_epoch(box, job_id)
    with box.database.write() as connection:
        attempts.stop(connection, Lease(job_id, 1), "worker_lost")
        elsewhere = claim(connection, worker="elsewhere", host="elsewhere", device="cpu")
    assert elsewhere is not None
    assert elsewhere.lease == Lease(job_id, 2)
    before = box.outcome(job_id)
    unsuspend(fenced)
    box.wait_until(
        lambda: _send_heartbeat(box, elsewhere.lease) and _has_exited(box, fenced_from=job_id),
        "the exit of the fenced runner with code 75",
    )
    assert not is_alive(fenced)
    assert "no longer holds its job" in box.storage.log(job_id, 1).read_text()
    assert box.outcome(job_id) == before
    # The other machine sends no further heartbeat: the reaper gives its attempt up.
    job = box.finish(job_id)
    assert job.state == "succeeded", job.failure
    assert [row.outcome for row in box.attempts(job_id)] == [
        "worker_lost",
        "worker_lost",
        "completed",
    ]
    assert job.deaths == 0
    assert box.outcome(job_id) == undisturbed


def _send_heartbeat(box: BoxDriver, lease: Lease) -> bool:
    """Send a heartbeat as another machine would."""
    with box.database.write() as connection:
        liveness.record_heartbeat(connection, lease, pid=os.getpid(), progress=None)
    return True


def _has_exited(box: BoxDriver, *, fenced_from: str) -> bool:
    exits = [line for line in box.log_lines("worker") if line["event"] == "runner exited"]
    return any((line["job"], line["code"]) == (fenced_from, 75) for line in exits)


def test_a_diverged_job_fails_with_the_step_and_a_hint(box: BoxDriver) -> None:
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


def test_a_job_that_exceeds_its_max_runtime_leaves_a_checkpoint(box: BoxDriver) -> None:
    job = box.finish(box.submit({**LONG, "resources": {"max_runtime_seconds": 1}}))
    assert (job.state, job.failure["kind"]) == ("failed", "max_runtime")
    assert box.last_step(job.id) > 0
    assert "max_runtime_seconds of 1;" in job.failure["message"]
    assert f"the checkpoint of step {box.last_step(job.id)} is kept" in job.failure["message"]


class TestDamagedCheckpoint:
    def test_the_job_resumes_from_the_previous_checkpoint(
        self, box: BoxDriver, undisturbed: dict[str, Any]
    ) -> None:
        job_id = box.submit(SPEC)
        runner = box.runner(job_id)
        box.wait_until(lambda: box.last_step(job_id) > 2 * STEPS_PER_EPOCH, "two epochs")
        suspend(box, runner)
        rows = {row.kind: row for row in box.checkpoints(job_id)}
        assert rows["previous"].step < rows["last"].step
        _flip_a_bit(box.storage.path(f"{rows['last'].directory}/state.safetensors"))
        os.kill(runner, signal.SIGKILL)
        job = box.finish(job_id)
        assert job.state == "succeeded", job.failure
        assert box.attempts(job_id)[1].first_step == rows["previous"].step
        notes = [event.data["text"] for event in box.events(job_id) if event.type == "note"]
        assert any("sha256" in note for note in notes), notes
        assert box.outcome(job_id) == undisturbed

    @pytest.mark.long
    def test_without_a_readable_checkpoint_the_job_starts_from_scratch(
        self, box: BoxDriver, undisturbed: dict[str, Any]
    ) -> None:
        job_id = box.submit(SPEC)
        runner = _suspend_inside_an_epoch(box, job_id)
        for row in box.checkpoints(job_id):
            _flip_a_bit(box.storage.path(f"{row.directory}/weights.safetensors"))
        os.kill(runner, signal.SIGKILL)
        assert box.finish(job_id).state == "succeeded"
        assert box.attempts(job_id)[1].first_step == 0
        assert box.outcome(job_id) == undisturbed


def _flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_job_that_runs_out_of_memory_fails_with_a_hint(box: BoxDriver) -> None:
    """The address space is limited. Memory runs out while building the network, and in a step."""
    box.end("worker")
    box.start("worker", TRAINSHED_RUNNER_MEMORY_MIB="1400")
    large_network = {
        "dataset": {"name": "digits"},
        "architecture": {"name": "mlp", "hidden_units": [20_000, 20_000]},
    }
    large_batch = {
        "dataset": {"name": "digits", "image_size": 64, "channels": 3},
        "architecture": {"name": "vgg_small"},
        "training": {"epochs": 1, "batch_size": 1024},
    }
    jobs = [box.submit(spec) for spec in (large_network, large_batch, SHORT)]
    try:
        for job_id in jobs[:2]:
            job = box.finish(job_id)
            assert (job.state, job.failure["kind"]) == ("failed", "out_of_memory")
            assert "batch_size" in job.failure["hint"]
            assert len(box.attempts(job_id)) == 1
        assert box.finish(jobs[2]).state == "succeeded"
    finally:
        box.end("worker")


def test_the_undisturbed_outcome_is_complete(undisturbed: dict[str, Any]) -> None:
    assert {step for _, step, _, _ in undisturbed["metrics"]} == {
        epoch * STEPS_PER_EPOCH for epoch in range(1, 5)
    }
    assert undisturbed["weights"]["last", None][1] == STEPS
    assert set(undisturbed["predictions"]) == set(undisturbed["weights"])
