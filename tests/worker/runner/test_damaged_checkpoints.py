"""A job whose checkpoints are damaged on the disk resumes from what can still be read."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.storage import WEIGHTS
from tests.worker.runner.installation import SPEC
from tests.worker.runner.jobs import Jobs
from worker.assignment import ExitCode
from worker.training import checkpoint

STEPS_PER_EPOCH = 4
#: The job is stopped within its third epoch: `previous` is the end of the second.
STOPPED_AT = 10


def truncate(directory: Path) -> None:
    path = directory / WEIGHTS
    path.write_bytes(path.read_bytes()[:-100])


def flip_bytes(directory: Path) -> None:
    path = directory / WEIGHTS
    content = bytearray(path.read_bytes())
    content[-10] ^= 0xFF
    path.write_bytes(content)


def remove_state(directory: Path) -> None:
    (directory / checkpoint.STATE).unlink()


DAMAGES = pytest.mark.parametrize("damage", [truncate, flip_bytes, remove_state, shutil.rmtree])
Damage = Callable[[Path], None]


def stopped_job(jobs: Jobs) -> str:
    """Return a job that was stopped in the middle of an epoch."""
    job_id = jobs.submit()
    assert jobs.run(drain_at=STOPPED_AT) == ExitCode.DRAINED
    steps = jobs.steps(job_id)
    assert (steps["previous"], steps["last"]) == (2 * STEPS_PER_EPOCH, STOPPED_AT)
    return job_id


def retry(jobs: Jobs, job_id: str) -> str:
    """Cancel a stopped job and train its retry to the end."""
    last = jobs.last(job_id).id
    jobs.cancel(job_id)
    retry_id = jobs.submit(retry_of=job_id, resume_from=last)
    assert jobs.run() == ExitCode.DONE
    return retry_id


def final_weights(jobs: Jobs, job_id: str) -> str:
    return jobs.last(job_id).sha256


@pytest.fixture
def undisturbed(jobs: Jobs) -> str:
    """The digest of the weights of a job that was never stopped."""
    job_id = jobs.submit()
    assert jobs.run() == ExitCode.DONE
    return final_weights(jobs, job_id)


@DAMAGES
def test_a_retry_resumes_from_the_checkpoint_before_a_damaged_last_one(
    jobs: Jobs, undisturbed: str, damage: Damage
) -> None:
    job_id = stopped_job(jobs)
    damage(jobs.storage.root / jobs.last(job_id).directory)
    retry_id = retry(jobs, job_id)
    assert jobs.first_steps(retry_id) == [2 * STEPS_PER_EPOCH]
    damaged, resumed = jobs.notes(retry_id)
    assert damaged.startswith("The last checkpoint, of step 10, is damaged.")
    assert resumed == "Training resumes from the previous checkpoint, of step 8 in epoch 2."
    assert final_weights(jobs, retry_id) == undisturbed


@DAMAGES
def test_a_new_attempt_resumes_from_the_checkpoint_before_a_damaged_last_one(
    jobs: Jobs, undisturbed: str, damage: Damage
) -> None:
    job_id = stopped_job(jobs)
    damage(jobs.storage.root / jobs.last(job_id).directory)
    assert jobs.run() == ExitCode.DONE
    assert jobs.first_steps(job_id) == [0, 2 * STEPS_PER_EPOCH]
    assert "previous checkpoint, of step 8" in jobs.notes(job_id)[1]
    assert final_weights(jobs, job_id) == undisturbed


def test_a_retry_without_a_readable_checkpoint_starts_from_the_beginning(
    jobs: Jobs, undisturbed: str
) -> None:
    job_id = stopped_job(jobs)
    for directory in {row.directory for row in jobs.checkpoints(job_id)}:
        flip_bytes(jobs.storage.root / directory)
    retry_id = retry(jobs, job_id)
    assert jobs.first_steps(retry_id) == [0]
    notes = jobs.notes(retry_id)
    assert [note.split(",")[0] for note in notes[:2]] == [
        "The last checkpoint",
        "The previous checkpoint",
    ]
    assert notes[2] == "Training starts from the beginning."
    assert final_weights(jobs, retry_id) == undisturbed


def test_a_retry_takes_over_the_checkpoints_whose_files_exist(jobs: Jobs) -> None:
    spec = {**SPEC, "checkpoints": [{"epoch": 0}, {"every_epochs": 1}]}
    job_id = jobs.submit(spec)
    assert jobs.run(drain_at=STOPPED_AT) == ExitCode.DRAINED
    first = next(row for row in jobs.checkpoints(job_id) if row.kind == "series")
    shutil.rmtree(jobs.storage.root / first.directory)
    last = jobs.last(job_id).id
    jobs.cancel(job_id)
    retry_id = jobs.submit(spec, retry_of=job_id, resume_from=last)
    assert jobs.run() == ExitCode.DONE
    assert jobs.notes(retry_id) == [
        "The checkpoint epoch_1 of the earlier job is not taken over: its files no longer exist."
    ]
    series = [row.epoch for row in jobs.checkpoints(retry_id) if row.kind == "series"]
    assert series == [2, 3, 4]
