"""Which part of its devices each running job of a worker is charged for.

Each of the n jobs on a device pays 1/n at every moment, so that all charges together are the time
in which devices were busy.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from shared import tables
from shared.clock import now
from shared.database import Database
from shared.jobs import ledger
from shared.jobs.attempts import Lease


def shares_of(devices: Iterable[Iterable[str]]) -> list[float]:
    """Return the share of each job, from the devices of each: 1 for a device that it has alone."""
    names = [set(each) for each in devices]
    jobs = Counter(name for each in names for name in each)
    return [sum(1 / jobs[name] for name in each) or 1.0 for each in names]


def divide(database: Database, worker: str) -> int:
    """Charge what ran in another company than now, and store the shares; return how many changed.

    Only the worker itself calls it, whenever a job has started or ended.
    """
    with database.read() as connection:
        wanted = _list_changes(connection, worker)
    if not wanted:
        return 0
    changed, attempts = 0, tables.attempts.c
    with database.write() as connection:
        for lease, share in wanted:
            ledger.charge(connection, lease.job_id, lease.attempt, now())
            update = sa.update(tables.attempts).where(
                attempts.job_id == lease.job_id,
                attempts.number == lease.attempt,
                attempts.ended_at.is_(None),
            )
            changed += connection.execute(update.values(share=share)).rowcount
    return changed


def _list_changes(connection: sa.Connection, worker: str) -> list[tuple[Lease, float]]:
    """Return the running attempts whose share is another than the stored, with it."""
    jobs, live, attempts = tables.jobs.c, tables.live.c, tables.attempts.c
    query = (
        sa.select(jobs.id, jobs.attempt, live.devices, attempts.share)
        .select_from(tables.jobs.join(tables.live, live.job_id == jobs.id))
        .join(tables.attempts, sa.and_(attempts.job_id == jobs.id, attempts.number == jobs.attempt))
        .where(jobs.state == "running", live.worker == worker)
        .order_by(jobs.id)
    )
    rows = connection.execute(query).all()
    shares = shares_of(_names(row.devices) for row in rows)
    return [
        (Lease(row.id, row.attempt), share)
        for row, share in zip(rows, shares, strict=True)
        if row.share != share
    ]


def _names(devices: Any) -> list[str]:
    return [name for name in devices if isinstance(name, str)] if isinstance(devices, list) else []
