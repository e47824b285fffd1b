"""The decision, after an attempt went wrong, whether its job is queued again or fails.

A job that makes new checkpoints progresses and is retried without a limit.
"""

import sqlalchemy as sa

from shared import tables
from shared.errors import Failure
from shared.jobs.attempts import Lease, fail, lock_job, stop

#: By outcome: the number of such attempts without a new checkpoint after which the job fails.
#: Device faults have a limit too, since the job itself may cause them.
MAX_ATTEMPTS = {"crashed": 10, "device_fault": 3, "stalled": 2}

#: How often, and by how much, the memory of a job grows that needs more than was planned.
MAX_GROWTHS, MEMORY_GROWTH = 2, 1.5


def record_death(
    connection: sa.Connection,
    lease: Lease,
    outcome: str,
    failure: Failure,
    *,
    exit_code: int | None,
) -> str:
    """End an attempt that died; queue the job again, or fail it after too many attempts.

    Args:
        connection: in a transaction that writes.
        lease: of the attempt.
        outcome: how the attempt ended, a key of `MAX_ATTEMPTS`.
        failure: of the job, if it fails.
        exit_code: of the process.

    Returns:
        The new state of the job.

    Raises:
        Fenced: the attempt no longer holds the job.
    """
    lock_job(connection, lease)
    times = _count_earlier(connection, lease, outcome) + 1
    if outcome == "crashed":
        connection.execute(
            sa.update(tables.jobs).where(tables.jobs.c.id == lease.job_id).values(deaths=times)
        )
    if times >= MAX_ATTEMPTS[outcome]:
        return give_up(connection, lease, failure, exit_code=exit_code)
    return stop(connection, lease, outcome, exit_code=exit_code)


def give_up(
    connection: sa.Connection, lease: Lease, failure: Failure, *, exit_code: int | None
) -> str:
    """End a job that no retry can save: as cancelled if a user requested that, else as failed.

    Returns:
        The new state of the job.

    Raises:
        Fenced: the attempt no longer holds the job.
    """
    if lock_job(connection, lease) == "cancelled":
        return stop(connection, lease, failure.kind, exit_code=exit_code)
    fail(connection, lease, failure, exit_code=exit_code)
    return "failed"


def grow_memory(
    connection: sa.Connection, lease: Lease, *, largest_mib: float, exit_code: int | None
) -> str:
    """Queue a job again that needs more memory than was planned; return its new state.

    It gets more, twice; then a device for itself without a limit, where it fails if that is not
    enough either.

    Args:
        connection: in a transaction that writes.
        lease: of the attempt.
        largest_mib: what its device has for jobs.
        exit_code: of the process.

    Raises:
        Fenced: the attempt no longer holds the job.
    """
    lock_job(connection, lease)
    jobs, attempts = tables.jobs.c, tables.attempts.c
    earlier = sa.select(sa.func.count()).where(
        attempts.job_id == lease.job_id, attempts.outcome == "memory_limit"
    )
    query = sa.select(jobs.memory_mib).where(jobs.id == lease.job_id)
    grown = MEMORY_GROWTH * connection.execute(query).scalar_one()
    is_last = connection.execute(earlier).scalar_one() >= MAX_GROWTHS or grown > largest_mib
    update = sa.update(tables.jobs).where(jobs.id == lease.job_id)
    connection.execute(update.values(memory_mib=0.0 if is_last else float(round(grown))))
    return stop(connection, lease, "memory_limit", exit_code=exit_code)


def _count_earlier(connection: sa.Connection, lease: Lease, outcome: str) -> int:
    """Return how many earlier attempts ended like this since the job's newest checkpoint."""
    attempts, checkpoints = tables.attempts.c, tables.checkpoints.c
    newest = sa.select(sa.func.max(checkpoints.attempt)).where(checkpoints.job_id == lease.job_id)
    ended = sa.select(sa.func.count()).where(
        attempts.job_id == lease.job_id,
        attempts.outcome == outcome,
        # The attempt that made the checkpoint ended after it, so it counts too.
        attempts.number >= sa.func.coalesce(newest.scalar_subquery(), 0),
    )
    return connection.execute(ended).scalar_one()
