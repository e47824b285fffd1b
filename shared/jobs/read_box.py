"""The box as the database holds it, for the plan: owners, devices, running and waiting jobs."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from math import inf, isfinite
from typing import Any

import sqlalchemy as sa

from shared import tables
from shared.accounts.limits import default_limits
from shared.clock import now
from shared.jobs import liveness
from shared.jobs.ledger import read_ledger, read_owners
from shared.jobs.owner_limits import add_limits
from shared.jobs.planning.box import Box, Device, Owner, Policy, RunningJob
from shared.jobs.planning.memory import measured
from shared.jobs.usage import Ledger, rate_of
from shared.jobs.waiting import Lines
from shared.settings import Settings
from shared.states import PRIORITY_NAMES

#: A worker that has not been seen for longer has no devices.
SEEN_SECONDS = 10.0


def policy_of(settings: Settings) -> Policy:
    """Return the policy that the settings describe."""
    return Policy(
        half_life_seconds=settings.half_life_seconds,
        overdue_seconds=settings.overdue_seconds,
        jobs_per_device=settings.jobs_per_device,
        limits=default_limits(settings),
    )


def read_box(
    connection: sa.Connection,
    policy: Policy,
    *,
    worker: str | None = None,
    devices: Sequence[Device] = (),
) -> Box:
    """Return the box now.

    Args:
        connection: for reading; the box's lines are read while it is open.
        policy: of the box.
        worker: the worker that plans; None for the whole box.
        devices: all devices of that worker, as it knows them. Devices of others are closed to it.
    """
    at = now()
    ledger = read_ledger(connection)
    lines = Lines(connection)
    running = list_running(connection)
    names = {*lines.owners, *(job.owner for job, _ in running)}
    owners = read_owners(connection, ledger, names, at.timestamp())
    _add_uncharged(owners, running, ledger, at.timestamp())
    add_limits(connection, policy, owners, Counter(job.owner for job, _ in running))
    known = list_devices(connection, at)
    if worker is not None:
        known = [device for device in known if not device.id.startswith(f"{worker}/")]
        known = [*devices, *(replace(device, closed="elsewhere") for device in known)]
    jobs = [job for job, _ in running]
    known = [measured(device, jobs) for device in known]
    return Box(at.timestamp(), policy, owners, known, jobs, lines.by_owner())


def list_running(connection: sa.Connection) -> list[tuple[RunningJob, float]]:
    """Return the running jobs, each with the time up to which it has been charged."""
    jobs, live, attempts = tables.jobs.c, tables.live.c, tables.attempts.c
    query = (
        sa.select(
            jobs.id,
            jobs.owner,
            jobs.priority,
            jobs.memory_mib,
            jobs.seconds_p50,
            jobs.seconds_p90,
            jobs.phase,
            live.worker,
            live.devices,
            live.progress,
            live.used_mib,
            attempts.started_at,
            attempts.charged_until,
        )
        .select_from(tables.jobs.join(tables.live, live.job_id == jobs.id))
        .outerjoin(
            tables.attempts,
            sa.and_(attempts.job_id == jobs.id, attempts.number == jobs.attempt),
        )
        .where(jobs.state == "running")
    )
    at = now().timestamp()
    return [_running(row, at) for row in connection.execute(query)]


def _running(row: Any, at: float) -> tuple[RunningJob, float]:
    started_at = row.started_at.timestamp() if isinstance(row.started_at, datetime) else at
    charged = row.charged_until
    names = row.devices if isinstance(row.devices, list) else []
    eta = (row.progress or {}).get("eta_seconds") if isinstance(row.progress, dict) else None
    if isinstance(eta, float | int) and isfinite(eta) and eta >= 0:
        p50 = p90 = at + eta
    else:
        p50, p90 = (
            started_at + value if isinstance(value, float) and isfinite(value) else inf
            for value in (row.seconds_p50, row.seconds_p90)
        )
    job = RunningJob(
        row.id,
        row.owner,
        row.priority if row.priority in PRIORITY_NAMES else 0,
        tuple(f"{row.worker}/{name}" for name in names if isinstance(name, str)),
        started_at,
        row.memory_mib if isinstance(row.memory_mib, float) else 0.0,
        p50,
        p90,
        is_stopping=row.phase in ("pausing", "cancelling"),
        used_mib=_number(row.used_mib) or 0.0,
    )
    return job, charged.timestamp() if isinstance(charged, datetime) else started_at


def _add_uncharged(
    owners: dict[str, Owner],
    running: Sequence[tuple[RunningJob, float]],
    ledger: Ledger,
    at: float,
) -> None:
    for job, charged_until in running:
        owner = owners[job.owner]
        amount = ledger.charge(charged_until, at, rate=rate_of(job.priority))
        owners[job.owner] = replace(owner, usage=owner.usage + ledger.decayed(amount, at))


def list_devices(connection: sa.Connection, at: datetime) -> list[Device]:
    """Return the devices of all workers that live."""
    found: dict[str, Device] = {}
    for worker in liveness.list_workers(connection):
        if at - worker.seen_at <= timedelta(seconds=SEEN_SECONDS):
            for values in worker.devices:
                device = as_device(worker.id, worker.host, values)
                found[device.id] = device
    return list(found.values())


def as_device(worker: str, host: str, values: Mapping[str, Any]) -> Device:
    """Return a device as the plan reads it, from what its worker reports."""
    name, state = values["name"], values.get("state")
    # CPU slots share the machine's memory, which does not limit how many jobs start.
    has_own_memory = values.get("has_own_memory", bool(values.get("uuid")))
    total = (_number(values.get("memory_mib")) or 0.0) if has_own_memory else 0.0
    free = _number(values.get("free_mib")) if total else None
    return Device(
        f"{worker}/{name}",
        host,
        total,
        total if free is None else free,
        closed=state or None,
        has_reading=free is not None,
        utilization=_number(values.get("utilization_fraction")),
        utilization_seconds=_number(values.get("utilization_seconds")) or 0.0,
    )


def _number(value: Any) -> float | None:
    """Return a number that is not negative; None for any other value."""
    is_number = isinstance(value, float | int) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value < inf else None
