"""Claims: what the plan starts next on a host's devices, taken by one compare-and-set.

The plan reads a snapshot. The job is taken only if it still waits as it was planned; otherwise
another dispatcher or its owner was faster, and the caller plans again.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from shared import tables
from shared.accounts.users import lock_user
from shared.clock import now
from shared.database import Database
from shared.jobs import quarantine
from shared.jobs.attempts import ClaimedJob, Lease
from shared.jobs.counts import is_count
from shared.jobs.events import NewEvent, append_events
from shared.jobs.planning.box import Device, Policy, WaitingJob
from shared.jobs.planning.plan import Entry, plan
from shared.jobs.read_box import is_deterministic, read_box
from shared.jobs.rows import JobRow
from shared.jobs.waiting import is_as_planned

#: How often a claim plans again after a job was taken by another or could not be read.
MAX_PLANS = 100
#: Of how many owners the waiting jobs are read at first.
FIRST_OWNERS = 64


def claim_next(
    database: Database, *, worker: str, host: str, devices: Sequence[Device], policy: Policy
) -> ClaimedJob | None:
    """Claim the job that starts next on one of the devices; return None if none can start.

    Args:
        database: of the box.
        worker: the id of the worker that claims.
        host: of the worker.
        devices: all devices of the worker. A device that cannot be used is closed.
        policy: of the box.
    """
    earlier: WaitingJob | None = None
    passed: set[str] = set()
    for _ in range(MAX_PLANS):
        with database.read() as connection:
            planned = propose(
                connection, worker=worker, devices=devices, policy=policy, passed=passed
            )
        if planned is None:
            return None
        with database.write() as connection:
            claimed = take(connection, planned, worker=worker, host=host, devices=devices)
        if claimed is not None:
            return claimed
        if planned.job == earlier:  # unchanged, but another transaction has locked it
            passed.add(planned.job.id)
        earlier = planned.job
    return None


def propose(
    connection: sa.Connection,
    *,
    worker: str,
    devices: Sequence[Device],
    policy: Policy,
    passed: AbstractSet[str] = frozenset(),
) -> Entry | None:
    """Return the first start of the plan on the devices of this worker, without passed jobs.

    Only if none of the jobs of the owners who are next can start, all owners are read.
    """
    for first_owners in (FIRST_OWNERS, None):
        box = read_box(
            connection, policy, worker=worker, devices=devices, first_owners=first_owners
        )
        if passed:
            lines = {
                owner: (job for job in line if job.id not in passed)
                for owner, line in box.lines.items()
            }
            box = replace(box, lines=lines)
        made = plan(box, until_start=True)
        start = next(made.starts, None)
        if start is not None or not made.is_cut:
            return start
    return None


def take(
    connection: sa.Connection,
    planned: Entry,
    *,
    worker: str,
    host: str,
    devices: Sequence[Device] = (),
) -> ClaimedJob | None:
    """Take the job as planned; return None if it changed since, or cannot be read.

    A job that cannot be read is quarantined, so that the next plan passes it.

    Args:
        connection: in a transaction that writes.
        planned: the start.
        worker: the id of the worker that claims.
        host: of the worker.
        devices: of the worker, whose models are recorded with the job.
    """
    job = planned.job
    names = [name.removeprefix(f"{worker}/") for name in planned.devices or ()]
    row = _lock(connection, planned)
    if row is None or not _may_start(connection, planned):
        return None
    at, jobs = now(), tables.jobs.c
    lease = Lease(row.id, 1 + max(row.attempt, _newest_attempt(connection, row.id)))
    device = names[0]
    connection.execute(
        sa.update(tables.jobs)
        .where(jobs.id == row.id)
        .values(
            state="running",
            phase="preflight",
            reason=None,
            attempt=lease.attempt,
            started_at=row.started_at or at,
            device=device,
            placement=_placement(row.spec, planned, devices),
        )
    )
    connection.execute(sa.delete(tables.live).where(tables.live.c.job_id == row.id))
    live = {"job_id": row.id, "attempt": lease.attempt, "beat": 0, "at": at, "worker": worker}
    live |= {"host": host, "devices": names, "memory_mib": job.memory_mib}
    connection.execute(sa.insert(tables.live), live)
    attempt: dict[str, Any] = {"job_id": row.id, "number": lease.attempt, "worker": worker}
    attempt |= {"host": host, "device": device, "devices": names}
    attempt |= {"started_at": at, "charged_until": at}
    attempt["share"] = float(len(names))
    connection.execute(sa.insert(tables.attempts), attempt | {"first_step": 0})
    if planned.place.is_head:
        users = tables.users.c
        served = sa.update(tables.users).where(users.name == row.owner)
        connection.execute(served.values(last_start_at=at))
    data = {"state": "running", "phase": "preflight", "attempt": lease.attempt, "device": device}
    if len(names) > 1:
        data["devices"] = names
    why = {"rank": planned.place.rank.name.lower(), "backfilled": planned.is_backfilled}
    append_events(connection, row.id, at, NewEvent("state", data | {"plan": why}))
    terms = (row.spec, row.resume_from, row.epoch_limit)
    return ClaimedJob(lease, *terms, device, job.memory_mib, tuple(names[1:]))


def _placement(spec: Any, planned: Entry, devices: Sequence[Device]) -> str | None:
    """Return the model on which the job continues bit for bit; None for any, or for none."""
    if not is_deterministic(spec):
        return None
    models = {device.model for device in devices if device.id in (planned.devices or ())}
    return next(iter(models)) or None if len(models) == 1 else None


def _lock(connection: sa.Connection, planned: Entry) -> JobRow | None:
    """Lock the job if it still waits as it was planned."""
    jobs, job = tables.jobs.c, planned.job
    query = quarantine.select_job.where(jobs.id == job.id, jobs.state == "queued")
    query = query.where(quarantine.is_not_quarantined())
    query = query.with_for_update(skip_locked=True, of=tables.jobs)
    columns = connection.execute(query).mappings().first()
    if columns is None:
        return None
    faults = JobRow.faults(columns)
    if faults:
        quarantine.add(connection, columns["id"], faults)
        return None
    row = JobRow.read(columns)
    return row if is_as_planned(job, row) else None


def _may_start(connection: sa.Connection, planned: Entry) -> bool:
    """Return whether the owner may start a job, where another worker may have started one since.

    The owner is locked after the job, as everywhere.
    """
    limit, owner, jobs = planned.place.max_running, planned.job.owner, tables.jobs.c
    if limit is None:
        return True
    lock_user(connection, owner)
    is_running = sa.and_(jobs.owner == owner, jobs.state == "running")
    count = sa.select(sa.func.count()).select_from(tables.jobs).where(is_running)
    return connection.execute(count).scalar_one() < limit


def _newest_attempt(connection: sa.Connection, job_id: str) -> int:
    """Return the greatest number of the job's attempts; 0 before the first."""
    attempts = tables.attempts.c
    newest = sa.select(sa.func.max(attempts.number)).where(
        attempts.job_id == job_id, is_count(attempts.number)
    )
    return connection.execute(newest).scalar_one() or 0
