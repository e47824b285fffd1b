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
from shared.jobs.device_shares import shares_of
from shared.jobs.estimates.durations import Remaining, plausible, predict_remaining
from shared.jobs.ledger import read_ledger, read_owners
from shared.jobs.owner_limits import add_limits
from shared.jobs.planning.box import Box, Device, Owner, Policy, Rank, RunningJob
from shared.jobs.planning.memory import measured
from shared.jobs.usage import Ledger, rate_of
from shared.jobs.waiting import FirstOwners, Lines
from shared.settings import Settings
from shared.states import PRIORITY_NAMES

#: A worker that has not been seen for longer has no devices.
SEEN_SECONDS = 10.0
#: Characters of the name of a device's model that count.
MAX_MODEL = 128
#: What a stop with a checkpoint takes, until it is measured.
STOP_SECONDS = 1.0


def policy_of(settings: Settings) -> Policy:
    """Return the policy that the settings describe."""
    return Policy(
        half_life_seconds=settings.half_life_seconds,
        overdue_seconds=settings.overdue_seconds,
        jobs_per_device=settings.jobs_per_device,
        limits=default_limits(settings),
        quantum_seconds=settings.quantum_seconds,
        quantum_of_low_seconds=settings.quantum_of_low_seconds,
        time_sharing=settings.time_sharing,
    )


def read_box(
    connection: sa.Connection,
    policy: Policy,
    *,
    worker: str | None = None,
    devices: Sequence[Device] = (),
    first_owners: int | None = None,
) -> Box:
    """Return the box now.

    Args:
        connection: for reading; the box's lines are read while it is open.
        policy: of the box.
        worker: the worker that plans; None for the whole box.
        devices: all devices of that worker, as it knows them. Devices of others are closed to it.
        first_owners: of how many owners the waiting jobs are read: of the owners who are next. None
            for all owners.
    """
    at = now()
    ledger = read_ledger(connection)
    running = list_running(connection)
    first = None
    if first_owners is not None:
        names = {job.owner for job, _ in running}
        first = FirstOwners(first_owners, names, at.timestamp() - policy.overdue_seconds)
    lines = Lines(connection, first=first)
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
    return Box(
        at.timestamp(),
        policy,
        owners,
        known,
        jobs,
        lines.by_owner(),
        _place(lines.unread_from, ledger, at.timestamp()),
    )


def _place(
    unread_from: tuple[int, float, str] | None, ledger: Ledger, at: float
) -> tuple[int, float, str] | None:
    """Return a place of `Lines` as a place in the order, a little earlier: it is rounded."""
    if unread_from is None:
        return None
    rank, value, job_id = unread_from
    if rank == Rank.OVERDUE:
        return (rank, value - at - 0.01, job_id)
    return (rank, ledger.decayed(value, at) * (1 - 1e-9), job_id)


def list_running(connection: sa.Connection) -> list[tuple[RunningJob, float]]:
    """Return the running jobs, each with the time up to which it has been charged."""
    jobs, live, attempts = tables.jobs.c, tables.live.c, tables.attempts.c
    earlier = tables.attempts.alias().c
    switch = sa.select(sa.func.max(earlier.switch_seconds)).where(earlier.job_id == jobs.id)
    query = (
        sa.select(
            jobs.id,
            jobs.owner,
            jobs.priority,
            jobs.memory_mib,
            jobs.seconds_p50,
            jobs.seconds_p90,
            jobs.spec,
            jobs.attempt,
            jobs.cancel_requested_at,
            jobs.pause_requested_at,
            live.worker,
            live.devices,
            live.progress,
            live.used_mib,
            live.stepped_at,
            live.yield_requested_at,
            live.yields_to,
            switch.scalar_subquery().label("switch_seconds"),
            jobs.cost_kind,
            jobs.placement,
            jobs.allow_inexact,
            attempts.started_at,
            attempts.charged_until,
            used_seconds(tables.jobs.c.id, before=jobs.attempt).label("used"),
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
    used = (plausible(row.used) or 0.0) / max(1, len(names))  # each device is charged
    remaining = remaining_of(row, at - started_at, used=used)
    requests = (row.cancel_requested_at, row.pause_requested_at)
    is_ending = any(value is not None for value in requests)
    yields_to = None if row.yield_requested_at is None else str(row.yields_to)
    job = RunningJob(
        row.id,
        row.owner,
        row.priority if row.priority in PRIORITY_NAMES else 0,
        tuple(f"{row.worker}/{name}" for name in names if isinstance(name, str)),
        started_at,
        row.memory_mib if isinstance(row.memory_mib, float) else 0.0,
        at + remaining.p50,
        at + remaining.p90,
        used_mib=_number(row.used_mib) or 0.0,
        is_exact=_is_exact(row.spec, names),
        is_stopping=is_ending or yields_to is not None,
        switch_seconds=_switch_seconds(row, started_at, at),
        yields_to=None if is_ending else yields_to,
        attempt=row.attempt if isinstance(row.attempt, int) else 0,
        kind=row.cost_kind or row.id,
        placement=row.placement if isinstance(row.placement, str) else "",
        allow_inexact=row.allow_inexact is True,
    )
    return job, charged.timestamp() if isinstance(charged, datetime) else started_at


def _is_exact(spec: Any, devices: Sequence[Any]) -> bool:
    """Return whether the job continues bit for bit: on the CPU, or if it is deterministic."""
    if all(isinstance(name, str) and name.startswith("cpu") for name in devices):
        return True
    return is_deterministic(spec)


def is_deterministic(spec: Any) -> bool:
    """Return whether a specification requests deterministic algorithms."""
    training = spec.get("training") if isinstance(spec, dict) else None
    return isinstance(training, dict) and training.get("deterministic") is True


def _switch_seconds(row: Any, started_at: float, at: float) -> float:
    """Return what a stop and a later start of the job take.

    The start is that of this attempt. It takes as long as the attempt has run, as long as it has
    not taken a step: the quantum of such an attempt is never over.
    """
    stepped_at = row.stepped_at.timestamp() if isinstance(row.stepped_at, datetime) else at
    measured = row.switch_seconds if isinstance(row.switch_seconds, float | int) else 0.0
    switch = max(0.0, stepped_at - started_at) + STOP_SECONDS
    return max(switch, measured) if isfinite(measured) else switch


def used_seconds(
    job_id: sa.ColumnElement[str], *, before: sa.ColumnElement[int]
) -> sa.ScalarSelect[Any]:
    """Return the query for the device time of the earlier attempts of a job."""
    earlier = tables.attempts.alias("earlier")
    query = sa.select(sa.func.sum(earlier.c.device_seconds))
    return query.where(earlier.c.job_id == job_id, earlier.c.number < before).scalar_subquery()


def remaining_of(row: Any, seconds: float, *, used: Any) -> Remaining:
    """Return how long a running job still takes, from values that may be damaged.

    Args:
        row: with the job's `progress`, `seconds_p50`, `seconds_p90` and `spec`.
        seconds: since its attempt started.
        used: seconds of earlier attempts.
    """
    elapsed = seconds + (plausible(used) or 0.0)
    found = predict_remaining(
        row.progress,
        elapsed_seconds=elapsed,
        p50=plausible(row.seconds_p50) or inf,
        p90=plausible(row.seconds_p90) or inf,
    )
    resources = row.spec.get("resources") if isinstance(row.spec, dict) else None
    limit = resources.get("max_runtime_seconds") if isinstance(resources, dict) else None
    left = max(0.0, (plausible(limit) or inf) - elapsed)
    return Remaining(min(found.p50, left), min(found.p90, left))


def _add_uncharged(
    owners: dict[str, Owner],
    running: Sequence[tuple[RunningJob, float]],
    ledger: Ledger,
    at: float,
) -> None:
    shares = shares_of(job.devices for job, _ in running)
    for (job, charged_until), share in zip(running, shares, strict=True):
        owner = owners[job.owner]
        amount = ledger.charge(charged_until, at, rate=rate_of(job.priority), share=share)
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
        apart=_pairs(values.get("apart")),
        model=str(values.get("model") or "")[:MAX_MODEL] if total else "",
    )


def _pairs(value: Any) -> frozenset[frozenset[str]]:
    """Return pairs of kinds of jobs, without what cannot be read."""
    pairs = value if isinstance(value, list) else []
    return frozenset(frozenset(map(str, pair)) for pair in pairs if isinstance(pair, list | tuple))


def _number(value: Any) -> float | None:
    """Return a number that is not negative; None for any other value."""
    is_number = isinstance(value, float | int) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value < inf else None
