"""Time sharing: requests to running jobs to give way, and what becomes of them.

The request belongs to an attempt and stands in its row of `live`. The runner learns it with its
heartbeat, writes a checkpoint at the next step and ends; its job waits again. A cancel and a pause
take precedence, in whatever order they come (`shared.jobs.attempts.lock_job`).
"""

from datetime import datetime

import sqlalchemy as sa

from shared import tables
from shared.clock import now
from shared.jobs import queries
from shared.jobs.attempts import Lease, is_held_by
from shared.jobs.control import phase_before
from shared.jobs.counts import next_revision
from shared.jobs.events import NewEvent, append_events
from shared.jobs.planning.box import Policy
from shared.jobs.planning.plan import plan
from shared.jobs.planning.yielding import Yield, find_yields, has_had_quantum
from shared.jobs.read_box import list_running, read_box

#: How many waiting jobs are looked at, of as many owners.
DEPTH = 64


def propose_yields(connection: sa.Connection, policy: Policy) -> list[Yield]:
    """Return the running jobs that are to give way now, read in one transaction."""
    if policy.time_sharing == "off" or not queries.is_any_queued(connection):
        return []
    running = [job for job, _ in list_running(connection)]
    at = now().timestamp()
    if not any(has_had_quantum(policy, job, at) for job in running):
        return []
    box = read_box(connection, policy, first_owners=DEPTH)
    return find_yields(box, plan(box, depth=DEPTH))


def request_yield(connection: sa.Connection, found: Yield) -> bool:
    """Request that a running attempt gives way; return whether it is requested now.

    It is not where the job stops already or has another attempt, or where nobody waits any more.
    """
    jobs, live, at = tables.jobs.c, tables.live.c, now()
    is_own = sa.and_(live.job_id == found.job, live.attempt == found.attempt)
    waiting = tables.jobs.alias().c
    waits = sa.exists().where(waiting.id == found.to, waiting.state == "queued")
    is_new = sa.exists().where(is_own, live.yield_requested_at.is_(None))
    # The job's row first: requests for a cancel or a pause lock it too.
    locked = connection.execute(
        sa.update(tables.jobs)
        .where(is_held_by(Lease(found.job, found.attempt)), is_new, waits)
        .where(jobs.cancel_requested_at.is_(None), jobs.pause_requested_at.is_(None))
        .values(phase="yielding", revision=next_revision())
    )
    if not locked.rowcount:
        return False
    # PostgreSQL evaluates `is_new` before it waits for the lock, so another leader may be faster.
    requested = connection.execute(
        sa.update(tables.live)
        .where(is_own, live.yield_requested_at.is_(None))
        .values(yield_requested_at=at, yields_to=found.to)
    )
    if not requested.rowcount:
        return False
    data = {"attempt": found.attempt, "to_rank": found.rank.name.lower()}
    append_events(connection, found.job, at, NewEvent("yield_requested", data))
    return True


def list_needless(connection: sa.Connection) -> list[Lease]:
    """Return the running attempts that are to give way to jobs that no longer wait."""
    jobs, live = tables.jobs.c, tables.live.c
    target = tables.jobs.alias()
    waits = sa.exists().where(target.c.id == live.yields_to, target.c.state == "queued")
    query = (
        sa.select(jobs.id, jobs.attempt)
        .join_from(tables.live, tables.jobs)
        .where(live.yield_requested_at.is_not(None), jobs.state == "running", sa.not_(waits))
    )
    return [Lease(row.id, row.attempt) for row in connection.execute(query)]


def withdraw_yield(connection: sa.Connection, lease: Lease) -> bool:
    """Let an attempt train on; return whether it was to give way."""
    jobs, live = tables.jobs.c, tables.live.c
    locked = connection.execute(
        sa.update(tables.jobs).where(is_held_by(lease)).values(revision=next_revision())
    )
    if not locked.rowcount:
        return False
    withdrawn = connection.execute(
        sa.update(tables.live)
        .where(live.job_id == lease.job_id, live.attempt == lease.attempt)
        .where(live.yield_requested_at.is_not(None))
        .values(yield_requested_at=None, yields_to=None)
    )
    if not withdrawn.rowcount:
        return False
    phase = phase_before(connection, lease.job_id)
    connection.execute(
        sa.update(tables.jobs)
        .where(jobs.id == lease.job_id, jobs.phase == "yielding")
        .values(phase=phase)
    )
    append_events(connection, lease.job_id, now(), NewEvent("yield_withdrawn"))
    return True


def is_yielding(connection: sa.Connection, lease: Lease) -> bool:
    """Return whether an attempt is to give way."""
    live = tables.live.c
    query = sa.select(live.yield_requested_at).where(
        live.job_id == lease.job_id, live.attempt == lease.attempt
    )
    return connection.execute(query).scalar_one_or_none() is not None


def record_switch(connection: sa.Connection, lease: Lease) -> None:
    """Record what the start and the stop of an attempt took that has given way.

    Its owner's later attempts get a quantum that is long against it.
    """
    live, attempts = tables.live.c, tables.attempts.c
    row = connection.execute(
        sa.select(live.stepped_at, live.yield_requested_at, attempts.started_at, attempts.ended_at)
        .join_from(
            tables.live,
            tables.attempts,
            sa.and_(live.job_id == attempts.job_id, live.attempt == attempts.number),
        )
        .where(live.job_id == lease.job_id, live.attempt == lease.attempt)
    ).one_or_none()
    if row is None or not all(isinstance(at, datetime) for at in row):
        return
    start = (row.stepped_at - row.started_at).total_seconds()
    stop = (row.ended_at - row.yield_requested_at).total_seconds()
    connection.execute(
        sa.update(tables.attempts)
        .where(attempts.job_id == lease.job_id, attempts.number == lease.attempt)
        .values(switch_seconds=max(0.0, start) + max(0.0, stop))
    )
