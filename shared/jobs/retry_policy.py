"""When an attempt went wrong by itself: whether its job waits again or has failed.

What counts is a new checkpoint: whoever reaches one gets on, however slowly.
"""

import sqlalchemy as sa

from shared import tables
from shared.errors import Failure
from shared.jobs.attempts import Lease, fail, lock_job, stop

#: By how it ended: after how many such ends in a row without a new checkpoint a job has failed. A
#: fault of the GPU may be the program's after all.
MAX_ATTEMPTS = {"crashed": 10, "device_fault": 3, "stalled": 2}


def record_death(
    connection: sa.Connection,
    lease: Lease,
    outcome: str,
    failure: Failure,
    *,
    exit_code: int | None,
) -> str:
    """The attempt ended by itself: try again from the last checkpoint, but not for ever.

    Args:
        connection: in a transaction that writes.
        lease: of the attempt.
        outcome: how it ended, a key of `MAX_ATTEMPTS`.
        failure: what the job gets when it is given up.
        exit_code: of its process.

    Returns the state the job is in now. Raises `Fenced`.
    """
    lock_job(connection, lease)
    times = _earlier(connection, lease, outcome) + 1
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
    """To try again would not help: the job has failed, or is cancelled if that was asked for.

    Returns the state the job is in now. Raises `Fenced`.
    """
    if lock_job(connection, lease):
        return stop(connection, lease, failure.kind, exit_code=exit_code)
    fail(connection, lease, failure, exit_code=exit_code)
    return "failed"


def _earlier(connection: sa.Connection, lease: Lease, outcome: str) -> int:
    """How many attempts ended so since the job's newest checkpoint, this one left out."""
    attempts, checkpoints = tables.attempts.c, tables.checkpoints.c
    newest = sa.select(sa.func.max(checkpoints.attempt)).where(checkpoints.job_id == lease.job_id)
    ended = sa.select(sa.func.count()).where(
        attempts.job_id == lease.job_id,
        attempts.outcome == outcome,
        # The attempt that made it ended after it.
        attempts.number >= sa.func.coalesce(newest.scalar_subquery(), 0),
    )
    return connection.execute(ended).scalar_one()
