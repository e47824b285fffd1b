from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.jobs.attempts import Lease
from shared.jobs.recording import Batch, record
from tests.worker.experiments import experiment
from tests.worker.jobs import last_checkpoint
from tests.worker.runner.installation import Installation
from worker.runner.restore import delete_earlier_orphans, load_from_other_job, load_latest
from worker.training import checkpoint
from worker.training.fit import fit
from worker.training.reports import EpochEnded


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    installation = Installation(tmp_path)
    yield installation
    installation.database.close()


@pytest.fixture
def lease(installation: Installation) -> Lease:
    """An attempt with the checkpoints `previous` and `last`, of the first and second epoch."""
    installation.submit()
    lease = installation.claim().lease
    states = [
        report.snapshot()
        for report in fit(experiment(training={"epochs": 2}))
        if isinstance(report, EpochEnded)
    ]
    for state in states:
        directory = _directory(installation, lease, state.step)
        checkpoint.save(state, directory)
        row = last_checkpoint(state.step, installation.storage.relative(directory))
        with installation.database.write() as connection:
            record(connection, lease, Batch(checkpoints=[row]))
    return lease


def _directory(installation: Installation, lease: Lease, step: int) -> Path:
    return installation.storage.attempt(lease.job_id, lease.attempt) / f"step-{step}"


def _damage(installation: Installation, lease: Lease, step: int) -> None:
    (_directory(installation, lease, step) / checkpoint.STATE).unlink()


def test_the_newest_checkpoint_is_loaded(installation: Installation, lease: Lease) -> None:
    notes: list[str] = []
    state = load_latest(installation.database, installation.storage, lease, notes.append)
    assert state is not None
    assert (state.step, notes) == (8, [])


def test_a_damaged_checkpoint_is_skipped_with_a_note(
    installation: Installation, lease: Lease
) -> None:
    _damage(installation, lease, 8)
    notes: list[str] = []
    state = load_latest(installation.database, installation.storage, lease, notes.append)
    assert state is not None
    assert state.step == 4
    assert notes == [
        "The last checkpoint, of step 8, is damaged. The checkpoint 'step-8' lacks state.json.",
        "Training resumes from the previous checkpoint, of step 4 in epoch 1.",
    ]


def test_without_a_readable_checkpoint_training_starts_from_scratch(
    installation: Installation, lease: Lease
) -> None:
    for step in (4, 8):
        _damage(installation, lease, step)
    notes: list[str] = []
    assert load_latest(installation.database, installation.storage, lease, notes.append) is None
    assert len(notes) == 2


def test_a_retry_whose_origin_was_deleted_starts_from_scratch_with_a_note(
    installation: Installation, lease: Lease
) -> None:
    notes: list[str] = []
    state, inherited = load_from_other_job(
        installation.database, installation.storage, lease, "ckpt_unknown", notes.append
    )
    assert (state, inherited) == (None, Batch())
    assert notes == ["The earlier job and its checkpoints no longer exist."]


def test_only_directories_of_earlier_attempts_without_a_row_are_deleted(
    installation: Installation, lease: Lease
) -> None:
    storage, second = installation.storage, Lease(lease.job_id, lease.attempt + 1)
    orphan = storage.attempt(lease.job_id, lease.attempt) / "step-9"
    current = storage.attempt(second.job_id, second.attempt) / "step-9"
    for directory in (orphan, current):
        directory.mkdir(parents=True)
    delete_earlier_orphans(installation.database, storage, second)
    assert not orphan.exists()
    assert current.exists()
    assert all(_directory(installation, lease, step).exists() for step in (4, 8))
