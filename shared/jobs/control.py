"""Requests of users for an existing job: cancel and retry."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from shared import tables
from shared.clock import now
from shared.errors import Conflict, NotFound
from shared.jobs.ending import read_ending
from shared.jobs.events import NewEvent, append_events
from shared.jobs.quarantine import select_job
from shared.jobs.rows import JobRow
from shared.states import FINAL, STATES

RETRYABLE = ("failed", "cancelled")
UNFINISHED = tuple(state for state in STATES if state not in FINAL)


@dataclass(frozen=True)
class RetryOrigin:
    """What a retry takes over from the job that it repeats."""

    spec: dict[str, Any]
    warnings: list[dict[str, Any]]
    #: The checkpoint from which the retry resumes, if any.
    checkpoint: str | None


def request_cancel(connection: sa.Connection, job_id: str) -> None:
    """Request that a running job ends; cancel a waiting job at once. This is idempotent.

    Raises:
        NotFound: no such job.
        Conflict: the job has already succeeded or failed.
    """
    at, jobs = now(), tables.jobs.c
    mine = jobs.id == job_id
    # Without the lock the state could change between the two statements.
    row = connection.execute(
        sa.select(jobs.state, jobs.cancel_requested_at).where(mine).with_for_update()
    ).one_or_none()
    if row is None:
        raise NotFound(f"There is no job {job_id}.")
    if row.state in ("succeeded", "failed"):
        raise Conflict(
            f"The job is {row.state}; only a queued, running or paused job can be cancelled.",
            state=row.state,
            allowed=["queued", "running", "paused"],
        )
    if row.state == "cancelled" or (row.state == "running" and row.cancel_requested_at):
        return
    is_running = row.state == "running"
    change = {"state": "cancelled", "reason": "cancelled_by_user"}
    values = {**change, "phase": None, "finished_at": at}
    if is_running:
        values = {"phase": "cancelling"}
    update = sa.update(tables.jobs).where(mine).values(**values, cancel_requested_at=at)
    connection.execute(update)
    event = NewEvent("cancel_requested")
    if not is_running:
        event = NewEvent("state", {**change, "text": read_ending(connection, job_id)})
    append_events(connection, job_id, at, event)


def get_retry_origin(connection: sa.Connection, job_id: str) -> RetryOrigin:
    """Return what a retry takes over from an ended job.

    The job's row is locked, so the second of two concurrent retries finds the first.

    Raises:
        NotFound: no such job.
        Conflict: the job has succeeded or not ended.
        RowUnreadable: its row cannot be read.
    """
    jobs, checkpoints = tables.jobs.c, tables.checkpoints.c
    query = select_job.where(jobs.id == job_id).with_for_update(of=tables.jobs)
    columns = connection.execute(query).mappings().one_or_none()
    if columns is None:
        raise NotFound(f"There is no job {job_id}.")
    row = JobRow.read(columns)
    if row.state not in RETRYABLE:
        raise Conflict(
            f"The job is {row.state}; only a failed or cancelled job can be retried.",
            state=row.state,
            allowed=list(RETRYABLE),
        )
    checkpoint = connection.execute(
        sa.select(checkpoints.id).where(checkpoints.job_id == job_id, checkpoints.kind == "last")
    ).scalar_one_or_none()
    return RetryOrigin(row.spec, row.warnings, checkpoint)


def find_open_retry(connection: sa.Connection, owner: str, job_id: str) -> str | None:
    """Return the owner's newest unfinished retry of a job, or None."""
    jobs = tables.jobs.c
    query = sa.select(jobs.id).where(
        jobs.retry_of == job_id, jobs.owner == owner, jobs.state.in_(UNFINISHED)
    )
    return max(connection.execute(query).scalars(), default=None)
