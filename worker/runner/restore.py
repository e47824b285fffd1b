"""Reads the checkpoint that an attempt resumes from: of its own job, or of the job it retries."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from shared.clock import now
from shared.database import Database
from shared.errors import NotFound
from shared.ids import new_id
from shared.jobs import queries
from shared.jobs.attempts import Lease
from shared.jobs.recording import Batch, NewCheckpoint
from shared.jobs.rows import CheckpointRow
from shared.storage import Storage
from worker.runner.retry import read_with_retry
from worker.training import checkpoint
from worker.training.checkpoint import CheckpointCorrupt
from worker.training.state import TrainingState

#: Fields of a checkpoint that a retry takes over unchanged.
INHERITED_FIELDS = (
    "kind",
    "monitor",
    "mode",
    "value",
    "stage",
    "epoch",
    "step",
    "bytes",
    "sha256",
)


def load_latest(
    database: Database, storage: Storage, lease: Lease, add_note: Callable[[str], None]
) -> TrainingState | None:
    """Return the state of the job's newest readable checkpoint; None to start from scratch.

    Args:
        database: the database.
        storage: where checkpoints are.
        lease: of the attempt.
        add_note: is called with a sentence for the user about each unreadable checkpoint.
    """
    rows = read_with_retry(database, lambda c: queries.list_checkpoints(c, lease.job_id))
    resumable = [row for row in rows if row.kind in {"last", "previous"}]
    for row in sorted(resumable, key=lambda row: (row.kind == "last", row.step), reverse=True):
        state = _load(storage, row, add_note)
        if state is not None:
            return state
    return None


def load_from_other_job(
    database: Database,
    storage: Storage,
    lease: Lease,
    checkpoint_id: str,
    add_note: Callable[[str], None],
) -> tuple[TrainingState | None, Batch]:
    """Return the state that a retry resumes from, and what it takes over from the other job.

    That is the other job's newest metrics and its checkpoints up to this state. Files are shared
    by hard links, so that each job can be deleted without the other. Arguments as for
    `load_latest`, and the id of the other job's checkpoint.
    """
    origin = read_with_retry(database, lambda c: queries.get_checkpoint(c, checkpoint_id))
    job_id = "" if origin is None else origin.job_id
    rows = read_with_retry(database, lambda c: queries.list_checkpoints(c, job_id))
    state = None if origin is None else _load(storage, origin, add_note)
    job = read_with_retry(database, lambda c: queries.get_job(c, job_id))
    if state is None or job is None:
        add_note(
            "The checkpoint of the earlier job no longer exists. Training starts from scratch."
        )
        return None, Batch()
    batch, directories = Batch(latest=dict(job.metrics)), dict[str, Path]()
    for row in rows:
        if row.kind == "previous" or row.step > state.step:
            continue
        # A step may have two directories: its last weights, and the restored best weights.
        name = f"from-{row.step}-{len(directories) + 1}"
        new_directory = storage.attempt(lease.job_id, lease.attempt) / name
        directory = directories.setdefault(row.directory, new_directory)
        _link(storage.root / row.directory, directory)
        inherited = {field: getattr(row, field) for field in INHERITED_FIELDS}
        batch.checkpoints.append(
            NewCheckpoint(
                **inherited,
                id=new_id("ckpt"),
                directory=storage.relative(directory),
                created_at=now(),
            )
        )
    return state, batch


def delete_orphans(database: Database, storage: Storage, lease: Lease) -> None:
    """Delete the checkpoint directories of earlier attempts that no row refers to.

    Their runner was killed while writing them, or they are past the step from which this attempt
    resumes.
    """
    rows = read_with_retry(database, lambda c: queries.list_checkpoints(c, lease.job_id))
    used = {row.directory for row in rows}
    for attempt in range(1, lease.attempt):
        for path in storage.attempt(lease.job_id, attempt).glob("*/"):
            if storage.relative(path) not in used:
                shutil.rmtree(path, ignore_errors=True)


def _load(
    storage: Storage, row: CheckpointRow, add_note: Callable[[str], None]
) -> TrainingState | None:
    try:
        return checkpoint.load(storage.path(row.directory))
    except (CheckpointCorrupt, NotFound) as error:
        add_note(f"The checkpoint of step {row.step} was skipped. {error}")
        return None


def _link(source: Path, target: Path) -> None:
    """Make a directory with hard links to the files of another."""
    if target.exists():
        return
    temporary = target.with_name(f"{target.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    for path in source.iterdir():
        os.link(path, temporary / path.name)
    temporary.rename(target)
