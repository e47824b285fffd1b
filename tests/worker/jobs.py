"""A claimed job, for tests of writes under its lease."""

from datetime import UTC, datetime

from shared.database import Database
from shared.jobs import queries
from shared.jobs.attempts import Lease
from shared.jobs.recording import NewCheckpoint
from shared.jobs.rows import JobRow
from shared.jobs.submission import Submission, submit
from tests.shared.claiming import claim
from tests.shared.specs import filled_in

RECORDED_AT = datetime(2026, 1, 1, tzinfo=UTC)


def claimed(database: Database) -> Lease:
    """Submit a job, claim it and return the lease."""
    with database.write() as connection:
        submit(connection, Submission(owner="admin", spec=filled_in()))
    return claimed_again(database)


def claimed_again(database: Database) -> Lease:
    """Claim the queued job and return the lease."""
    with database.write() as connection:
        claimed_job = claim(connection)
    assert claimed_job is not None
    return claimed_job.lease


def job(database: Database, lease: Lease) -> JobRow:
    """Return the job."""
    with database.read() as connection:
        row = queries.get_job(connection, lease.job_id)
    assert row is not None
    return row


def last_checkpoint(step: int, directory: str) -> NewCheckpoint:
    """Return a `last` checkpoint."""
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
        created_at=RECORDED_AT,
    )
