"""The end of an attempt, and the fence in every write before it.

A claim (`shared.jobs.claims`) is one compare-and-set that increments `jobs.attempt`, the fencing
number. Every later
write of the attempt requires this number and the state `running`. An attempt that lost its job
therefore changes nothing, however late it writes: execution is at least once, effects exactly once.
"""

from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from shared import tables
from shared.clock import now
from shared.errors import Failure, Fenced
from shared.jobs.counts import next_revision
from shared.jobs.ending import read_ending
from shared.jobs.events import NewEvent, append_events
from shared.jobs.extremes import keep_extremes
from shared.states import FINAL


@dataclass(frozen=True)
class Lease:
    """The right to write for a job: the id of the job and the fencing number."""

    job_id: str
    attempt: int


@dataclass(frozen=True)
class ClaimedJob:
    """A claimed job, with all that a runner needs to start."""

    lease: Lease
    spec: dict[str, Any]
    resume_from: str | None
    epoch_limit: int | None
    #: The name of its first device on this host.
    device: str
    #: The memory that was planned for it; 0 if that is not limited.
    memory_mib: float = 0.0
    #: The names of its other devices.
    further_devices: tuple[str, ...] = ()


def is_held_by(lease: Lease) -> sa.ColumnElement[bool]:
    """Return the fence: a condition that is true only while this attempt holds the job."""
    jobs = tables.jobs.c
    return sa.and_(jobs.id == lease.job_id, jobs.attempt == lease.attempt, jobs.state == "running")


def succeed(connection: sa.Connection, lease: Lease, result: dict[str, Any]) -> None:
    """End the job as succeeded, once all results are stored.

    A cancel request that came too late has no effect.

    Raises:
        Fenced: the attempt no longer holds the job.
    """
    _end(connection, lease, "succeeded", "completed", result=result)


def fail(
    connection: sa.Connection, lease: Lease, failure: Failure, *, exit_code: int | None = None
) -> None:
    """End the job as failed.

    Raises:
        Fenced: the attempt no longer holds the job.
    """
    _end(connection, lease, "failed", failure.kind, exit_code=exit_code, failure=failure.as_json())


def stop(
    connection: sa.Connection, lease: Lease, reason: str, *, exit_code: int | None = None
) -> str:
    """End an unfinished attempt whose process is gone; queue the job again, or do as requested.

    Returns:
        The new state of the job: `cancelled` or `paused` if a user requested that, else `queued`.

    Raises:
        Fenced: the attempt no longer holds the job.
    """
    state = lock_job(connection, lease)
    # Without a request any more, a paused attempt's job has been resumed.
    queued = "resumed" if reason == "paused" else reason
    reasons = {"cancelled": "cancelled_by_user", "paused": "paused_by_user", "queued": queued}
    _end(connection, lease, state, reasons[state], outcome=reason, exit_code=exit_code)
    return state


def lock_job(connection: sa.Connection, lease: Lease) -> Literal["cancelled", "paused", "queued"]:
    """Lock the job's row under the fence; return the state of the job if the attempt stops now.

    A cancel takes precedence over a pause, whichever was requested first.

    Raises:
        Fenced: the attempt no longer holds the job.
    """
    jobs = tables.jobs
    row = connection.execute(
        sa.update(jobs)
        .where(is_held_by(lease))
        .values(revision=next_revision())
        .returning(jobs.c.cancel_requested_at, jobs.c.pause_requested_at)
    ).one_or_none()
    if row is None:
        raise Fenced
    if row.cancel_requested_at is not None:
        return "cancelled"
    return "queued" if row.pause_requested_at is None else "paused"


def _end(
    connection: sa.Connection,
    lease: Lease,
    state: str,
    reason: str,
    *,
    outcome: str | None = None,
    exit_code: int | None = None,
    **values: Any,
) -> None:
    at, attempts = now(), tables.attempts.c
    final = {"finished_at": at} if state in FINAL else {}
    ended = connection.execute(
        sa.update(tables.jobs)
        .where(is_held_by(lease))
        .values(state=state, phase=None, reason=reason, **final, **values)
    )
    if not ended.rowcount:
        raise Fenced
    connection.execute(
        sa.update(tables.attempts)
        .where(attempts.job_id == lease.job_id, attempts.number == lease.attempt)
        .values(ended_at=at, outcome=outcome or reason, exit_code=exit_code)
    )
    # A damaged number may be of any type, and its job must end all the same.
    number = lease.attempt if isinstance(lease.attempt, int) else None
    data: dict[str, Any] = {"state": state, "reason": reason, "attempt": number}
    if "failure" in values:
        data["failure"] = values["failure"]
    if state in FINAL:
        keep_extremes(connection, lease.job_id)
        data["text"] = read_ending(connection, lease.job_id)
    append_events(connection, lease.job_id, at, NewEvent("state", data))
