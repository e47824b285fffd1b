"""A job that an attempt holds, for tests of what writes under the fence."""

from datetime import UTC, datetime

from shared.database import Database
from shared.jobs import attempts, queries
from shared.jobs.attempts import Lease
from shared.jobs.recording import NewCheckpoint
from shared.jobs.rows import JobRow
from shared.jobs.submission import Submission, submit
from tests.shared.specs import filled_in


def claimed(database: Database) -> Lease:
    """A new job, claimed."""
    with database.write() as connection:
        submit(connection, Submission(owner="admin", spec=filled_in()))
    return claimed_again(database)


def claimed_again(database: Database) -> Lease:
    """The job that waits, claimed."""
    with database.write() as connection:
        found = attempts.claim(
            connection, worker="w", host="h", device="cpu:0", devices=["cpu:0"], gpus=1
        )
    assert found is not None
    return found.lease


def job(database: Database, lease: Lease) -> JobRow:
    """The job's row."""
    with database.read() as connection:
        row = queries.get_job(connection, lease.job_id)
    assert row is not None
    return row


def last_checkpoint(step: int, directory: str) -> NewCheckpoint:
    """A `last` checkpoint."""
    return NewCheckpoint(
        id=f"ckpt_{step}",
        kind="last",
        monitor=None,
        mode=None,
        value=None,
        stage="main",
        epoch=1,
        step=step,
        directory=directory,
        bytes=1,
        sha256="0" * 64,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
