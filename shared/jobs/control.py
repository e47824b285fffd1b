"""Requests of users for an existing job: cancel, pause, resume and retry."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from shared import tables
from shared.clock import now
from shared.errors import Conflict, NotFound
from shared.jobs.ending import read_ending
from shared.jobs.estimates.history import epochs_of
from shared.jobs.events import NewEvent, append_events
from shared.jobs.quarantine import select_job
from shared.jobs.rows import JobRow
from shared.jobs.sources import UNFINISHED

PAUSABLE = ("queued", "running", "paused")
RESUMABLE = ("paused", "running", "queued")
RETRYABLE = ("failed", "cancelled")


@dataclass(frozen=True)
class RetryOrigin:
    """What a retry takes over from the job that it repeats."""

    spec: dict[str, Any]
    warnings: list[dict[str, Any]]
    #: The checkpoint from which the retry resumes, if any, and the epochs that are in it.
    checkpoint: str | None
    epochs_before: int
    owner: str


def request_cancel(connection: sa.Connection, job_id: str) -> None:
    """Request that a running job ends; cancel a waiting job at once. This is idempotent.

    Raises:
        NotFound: no such job.
        Conflict: the job has already succeeded or failed.
    """
    at, jobs = now(), tables.jobs.c
    row = _lock(connection, job_id)
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
    update = sa.update(tables.jobs).where(jobs.id == job_id)
    connection.execute(update.values(**values, cancel_requested_at=at))
    event = NewEvent("cancel_requested")
    if not is_running:
        event = NewEvent("state", {**change, "text": read_ending(connection, job_id)})
    append_events(connection, job_id, at, event)


def request_pause(connection: sa.Connection, job_id: str) -> None:
    """Request that a running job stops with a checkpoint; pause a queued job at once.

    This is idempotent. The state becomes `paused` once the process is gone, unless the job ends
    before it stops.

    Raises:
        NotFound: no such job.
        Conflict: the job has ended or is being cancelled.
    """
    at, jobs = now(), tables.jobs.c
    row = _lock(connection, job_id)
    is_cancelling = row.cancel_requested_at is not None
    if row.state not in PAUSABLE or is_cancelling:
        state = row.state if row.state not in PAUSABLE else "being cancelled"
        raise Conflict(
            f"The job is {state}; only a queued or running job can be paused.",
            state=row.state,
            allowed=["queued", "running"],
        )
    if row.pause_requested_at is not None:
        return
    change = {"state": "paused", "reason": "paused_by_user"}
    values, event = {**change, "phase": None}, NewEvent("state", change)
    if row.state == "running":
        values, event = {"phase": "pausing"}, NewEvent("pause_requested")
    update = sa.update(tables.jobs).where(jobs.id == job_id)
    connection.execute(update.values(**values, pause_requested_at=at))
    append_events(connection, job_id, at, event)


def resume(
    connection: sa.Connection,
    job_id: str,
    *,
    check: Callable[[sa.Connection, str], None] | None = None,
) -> bool:
    """Queue a paused job, or withdraw the request to pause a running job. This is idempotent.

    A queued job keeps the place of its priority and age.

    Args:
        connection: in a transaction.
        job_id: of the job.
        check: called with the owner right before a paused job is queued; it may raise.

    Returns:
        Whether a job was queued, so that workers should look for it.

    Raises:
        NotFound: no such job.
        Conflict: the job has ended.
    """
    at, jobs = now(), tables.jobs.c
    row = _lock(connection, job_id)
    if row.state not in RESUMABLE:
        raise Conflict(
            f"The job is {row.state}; only a paused job can be resumed."
            + (" Retry it instead." if row.state in RETRYABLE else ""),
            state=row.state,
            allowed=["paused"],
        )
    if row.pause_requested_at is None or row.cancel_requested_at is not None:
        return False
    if row.state == "paused" and check is not None:
        check(connection, row.owner)
    change = {"state": "queued", "reason": "resumed"}
    values: dict[str, Any] = {**change, "eligible_at": at}
    event = NewEvent("state", change)
    if row.state == "running":
        phase = phase_before(connection, job_id)
        values, event = {"phase": phase}, NewEvent("pause_withdrawn")
    update = sa.update(tables.jobs).where(jobs.id == job_id)
    connection.execute(update.values(**values, pause_requested_at=None))
    append_events(connection, job_id, at, event)
    return row.state == "paused"


def _lock(connection: sa.Connection, job_id: str) -> sa.Row[Any, Any, Any, Any]:
    """Lock a job until the end of the transaction; return its state, owner and requests.

    Raises:
        NotFound: no such job.
    """
    jobs = tables.jobs.c
    columns = (jobs.state, jobs.owner, jobs.cancel_requested_at, jobs.pause_requested_at)
    query = sa.select(*columns).where(jobs.id == job_id).with_for_update()
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"There is no job {job_id}.")
    return row


def phase_before(connection: sa.Connection, job_id: str) -> str | None:
    """Return the newest phase that an event names, or that the job is to give way."""
    events, live = tables.events.c, tables.live.c
    query = sa.select(live.yield_requested_at).where(live.job_id == job_id)
    if connection.execute(query).scalar_one_or_none() is not None:
        return "yielding"
    query = sa.select(events.type, events.data).where(
        events.job_id == job_id, events.type.in_(("state", "stage", "phase"))
    )
    newest = connection.execute(query.order_by(events.number.desc()).limit(1)).first()
    data = newest.data if newest is not None and isinstance(newest.data, dict) else {}
    phase = data.get("stage", data.get("phase"))
    return phase if isinstance(phase, str) else None


def get_retry_origin(connection: sa.Connection, job_id: str, *, lock: bool = True) -> RetryOrigin:
    """Return what a retry takes over from an ended job.

    Args:
        connection: in a transaction, or for reading without a lock.
        job_id: of the job that is retried.
        lock: whether its row is locked, so that the second of two concurrent retries finds the
            first.

    Raises:
        NotFound: no such job.
        Conflict: the job has succeeded or not ended.
        RowUnreadable: its row cannot be read.
    """
    jobs, checkpoints = tables.jobs.c, tables.checkpoints.c
    query = select_job.where(jobs.id == job_id)
    if lock:
        query = query.with_for_update(of=tables.jobs)
    columns = connection.execute(query).mappings().one_or_none()
    if columns is None:
        raise NotFound(f"There is no job {job_id}.")
    row = JobRow.read(columns)
    if row.kind == "verification":
        raise Conflict("The job checks a patch; verify the finding again instead.")
    if row.state not in RETRYABLE:
        raise Conflict(
            f"The job is {row.state}; only a failed or cancelled job can be retried.",
            state=row.state,
            allowed=list(RETRYABLE),
        )
    checkpoint = connection.execute(
        sa.select(checkpoints.id, checkpoints.epoch).where(
            checkpoints.job_id == job_id, checkpoints.kind == "last"
        )
    ).one_or_none()
    name, epochs = (None, 0) if checkpoint is None else (checkpoint.id, epochs_of(checkpoint.epoch))
    return RetryOrigin(row.spec, row.warnings, name, epochs, row.owner)


def find_open_retry(connection: sa.Connection, owner: str, job_id: str) -> str | None:
    """Return the owner's newest unfinished retry of a job, or None."""
    jobs = tables.jobs.c
    query = sa.select(jobs.id).where(
        jobs.retry_of == job_id, jobs.owner == owner, jobs.state.in_(UNFINISHED)
    )
    return max(connection.execute(query).scalars(), default=None)
