"""Reads the checkpoint that an attempt resumes from: of its own job, or of the job it retries."""

import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from shared.clock import now
from shared.database import Database
from shared.ids import new_id
from shared.jobs import queries
from shared.jobs.attempts import Lease
from shared.jobs.checkpoint_names import checkpoint_name
from shared.jobs.recording import Batch, NewCheckpoint
from shared.jobs.rows import CheckpointRow
from shared.storage import Storage
from worker.runner.orphans import delete_orphans
from worker.runner.retry import read_with_retry
from worker.training import checkpoint
from worker.training.checkpoint import CheckpointCorrupt
from worker.training.state import TrainingState

#: The kinds of checkpoints that training resumes from: the last, and its fallback.
RESUMABLE_KINDS = {"last", "previous"}
#: Fields of a checkpoint that a retry takes over.
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
    """Return the state of the job's newest readable checkpoint; None to start from the beginning.

    Args:
        database: the database.
        storage: where checkpoints are.
        lease: of the attempt.
        add_note: is called with a sentence for the user about each damaged checkpoint.
    """
    rows = read_with_retry(database, lambda c: queries.list_checkpoints(c, lease.job_id))
    state, _ = _load_newest(storage, rows, add_note)
    return state


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
    `load_latest`, and the id of the other job's last checkpoint.
    """
    job_id = read_with_retry(database, lambda c: queries.get_job_of(c, checkpoint_id)) or ""
    job = read_with_retry(database, lambda c: queries.get_job_in_part(c, job_id))
    if job is None:
        add_note("The earlier job and its checkpoints no longer exist.")
        return None, Batch()
    rows = read_with_retry(database, lambda c: queries.list_checkpoints(c, job_id))
    state, resumed = _load_newest(storage, rows, add_note)
    if state is None or resumed is None:
        return None, Batch()
    batch, directories = Batch(latest=dict(job.metrics)), dict[str, Path]()
    for row in rows:
        is_resumed = row.id == resumed.id
        if not is_resumed and (row.kind in RESUMABLE_KINDS or row.step > state.step):
            continue
        # A step may have two directories: its last weights, and the restored best weights.
        name = f"from-{row.step}-{len(directories) + 1}"
        new_directory = storage.attempt(lease.job_id, lease.attempt) / name
        directory = directories.setdefault(row.directory, new_directory)
        try:
            _link(storage.root / row.directory, directory)
        except FileNotFoundError:
            add_note(
                f"The checkpoint {checkpoint_name(row)} of the earlier job is not taken over: its "
                "files no longer exist."
            )
            continue
        inherited = {field: getattr(row, field) for field in INHERITED_FIELDS}
        inherited["kind"] = "last" if is_resumed else row.kind
        batch.checkpoints.append(
            NewCheckpoint(
                **inherited,
                id=new_id("ckpt"),
                directory=storage.relative(directory),
                created_at=now(),
            )
        )
    return state, batch


def delete_earlier_orphans(database: Database, storage: Storage, lease: Lease) -> None:
    """Delete the checkpoint directories of earlier attempts that no row refers to."""
    used = read_with_retry(database, lambda c: queries.list_directories(c, lease.job_id))
    delete_orphans(storage, lease.job_id, range(1, lease.attempt), used=used)


def _load_newest(
    storage: Storage, rows: Iterable[CheckpointRow], add_note: Callable[[str], None]
) -> tuple[TrainingState | None, CheckpointRow | None]:
    """Return the newest state that can be read, and its row; report each damaged checkpoint."""
    resumable = [row for row in rows if row.kind in RESUMABLE_KINDS]
    is_damaged = False
    for row in sorted(resumable, key=lambda row: (row.kind == "last", row.step), reverse=True):
        try:
            state = checkpoint.load(storage.root / row.directory)
        except CheckpointCorrupt as error:
            is_damaged = True
            add_note(f"The {row.kind} checkpoint, of step {row.step}, is damaged. {error}")
            continue
        if is_damaged:
            add_note(
                f"Training resumes from the {row.kind} checkpoint, of step {row.step} in epoch "
                f"{row.epoch}."
            )
        return state, row
    return None, None


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
