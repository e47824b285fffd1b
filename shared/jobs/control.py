"""What people ask of a job that exists. Cancelling is a request with a time, not a state."""

from typing import Any

import sqlalchemy as sa

from shared import tables
from shared.clock import now
from shared.errors import Conflict, NotFound
from shared.jobs.events import NewEvent, append_events
from shared.states import FINAL, STATES

RETRIED = ("failed", "cancelled")
NOT_ENDED = tuple(state for state in STATES if state not in FINAL)


def request_cancel(connection: sa.Connection, job_id: str) -> None:
    """Ask that the job ends; a job that waits is cancelled at once. Idempotent.

    Raises:
        NotFound: no such job.
        Conflict: it has succeeded or failed already.
    """
    at, jobs = now(), tables.jobs.c
    mine = jobs.id == job_id
    # Locked: between two statements the job could move, and neither would find it.
    row = connection.execute(
        sa.select(jobs.state, jobs.cancel_requested_at).where(mine).with_for_update()
    ).one_or_none()
    if row is None:
        raise NotFound(f"There is no job {job_id}.")
    if row.state in ("succeeded", "failed"):
        raise Conflict(
            f"The job has {row.state} already; cancel takes a job that is queued, running or "
            "paused.",
            state=row.state,
            allowed=["queued", "running", "paused"],
        )
    if row.state == "cancelled" or (row.state == "running" and row.cancel_requested_at):
        return
    if row.state == "running":
        values = {"cancel_requested_at": at, "phase": "cancelling"}
        event = NewEvent("cancel_requested")
    else:
        told = {"state": "cancelled", "reason": "cancelled_by_user"}
        values = {**told, "phase": None, "cancel_requested_at": at, "finished_at": at}
        event = NewEvent("state", told)
    connection.execute(sa.update(tables.jobs).where(mine).values(values))
    append_events(connection, job_id, at, event)


def get_retry_origin(connection: sa.Connection, job_id: str) -> tuple[dict[str, Any], str | None]:
    """The spec of an ended job and the checkpoint that a retry goes on from, if there is one.

    The job's row is locked: two retries of it follow each other, and the second sees the first.

    Raises:
        NotFound: no such job.
        Conflict: it has succeeded or not ended.
    """
    jobs, checkpoints = tables.jobs.c, tables.checkpoints.c
    row = connection.execute(
        sa.select(jobs.state, jobs.spec).where(jobs.id == job_id).with_for_update()
    ).one_or_none()
    if row is None:
        raise NotFound(f"There is no job {job_id}.")
    if row.state not in RETRIED:
        raise Conflict(
            f"The job is {row.state}; retry takes a job that has failed or been cancelled.",
            state=row.state,
            allowed=list(RETRIED),
        )
    checkpoint = connection.execute(
        sa.select(checkpoints.id).where(checkpoints.job_id == job_id, checkpoints.kind == "last")
    ).scalar_one_or_none()
    return row.spec, checkpoint


def find_open_retry(connection: sa.Connection, owner: str, job_id: str) -> str | None:
    """The owner's newest retry of a job that has not ended, if there is one."""
    jobs = tables.jobs.c
    query = sa.select(jobs.id).where(
        jobs.retry_of == job_id, jobs.owner == owner, jobs.state.in_(NOT_ENDED)
    )
    return max(connection.execute(query).scalars(), default=None)
