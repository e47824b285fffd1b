"""Signs of life: heartbeats of attempts, workers, and the lease of the leading reaper."""

from dataclasses import dataclass
from datetime import timedelta
from math import inf
from typing import Any

import sqlalchemy as sa

from shared import tables
from shared.clock import now
from shared.database import Database
from shared.errors import Fenced
from shared.jobs.attempts import Lease, is_held_by
from shared.jobs.rows import WorkerRow

#: A worker that was not seen for longer may have been replaced by another.
PRESENT_SECONDS = 60.0


@dataclass(frozen=True)
class UserRequests:
    """The requests of users for a running job."""

    is_cancel_requested: bool
    is_pause_requested: bool


@dataclass(frozen=True)
class HeartbeatResponse:
    """What a runner learns with its heartbeat."""

    requests: UserRequests
    #: Whether the attempt is to give way to a waiting job.
    is_yield_requested: bool
    #: Of the specification, which changes with the fields that a user changes.
    spec_sha256: str


@dataclass(frozen=True)
class ObservedHeartbeat:
    """The newest heartbeat of a running attempt."""

    lease: Lease
    beat: int
    host: str
    pid: int | None
    worker: str
    devices: list[str]
    requests: UserRequests


@dataclass(frozen=True)
class Speed:
    """How fast a running job is."""

    job_id: str
    device: str
    #: Jobs of a kind are equally fast on equal devices.
    kind: str
    #: None before its first step.
    images_per_second: float | None


def record_heartbeat(
    connection: sa.Connection,
    lease: Lease,
    *,
    pid: int,
    progress: dict[str, Any] | None,
    used_mib: float | None = None,
) -> HeartbeatResponse:
    """Record a heartbeat and the progress; return the requests and changes of users.

    Args:
        connection: in a transaction.
        lease: of the attempt.
        pid: of its process.
        progress: as a job shows it; None if there is nothing new.
        used_mib: the memory of its GPU that it uses; None if that is not measured.

    Raises:
        Fenced: the attempt no longer holds the job and must end.
    """
    live, jobs = tables.live.c, tables.jobs.c
    at = now()
    values: dict[str, Any] = {"beat": live.beat + 1, "at": at, "pid": pid}
    values["used_mib"] = used_mib
    if progress is not None:
        values |= {"progress": progress, "stepped_at": sa.func.coalesce(live.stepped_at, at)}
    yield_requested_at = connection.execute(
        sa.update(tables.live)
        .where(live.job_id == lease.job_id, live.attempt == lease.attempt)
        .values(**values)
        .returning(live.yield_requested_at)
    ).scalar_one_or_none()
    columns = (jobs.cancel_requested_at, jobs.pause_requested_at, jobs.spec_sha256)
    row = connection.execute(sa.select(*columns).where(is_held_by(lease))).one_or_none()
    if row is None:
        raise Fenced
    requests = _requests(row.cancel_requested_at, row.pause_requested_at)
    return HeartbeatResponse(requests, yield_requested_at is not None, row.spec_sha256)


def read_spec(connection: sa.Connection, lease: Lease) -> Any:
    """Return the specification of a job as it is stored.

    Raises:
        Fenced: the attempt no longer holds the job and must end.
    """
    row = connection.execute(sa.select(tables.jobs.c.spec).where(is_held_by(lease))).one_or_none()
    if row is None:
        raise Fenced
    return row.spec


def list_heartbeats(
    connection: sa.Connection, *, host: str | None = None
) -> list[ObservedHeartbeat]:
    """Return the newest heartbeat of every running attempt (on this host, if given)."""
    live, jobs = tables.live.c, tables.jobs.c
    query = (
        sa.select(
            jobs.id,
            jobs.attempt,
            live.beat,
            live.host,
            live.pid,
            live.worker,
            live.devices,
            jobs.cancel_requested_at,
            jobs.pause_requested_at,
        )
        .select_from(tables.jobs.join(tables.live))
        .where(jobs.state == "running")
    )
    if host is not None:
        query = query.where(live.host == host)
    return [
        ObservedHeartbeat(
            Lease(row.id, row.attempt),
            row.beat,
            row.host,
            _pid(row.pid),
            row.worker,
            _device_names(row.devices),
            _requests(row.cancel_requested_at, row.pause_requested_at),
        )
        for row in connection.execute(query)
    ]


def list_speeds(connection: sa.Connection, worker: str) -> list[Speed]:
    """Return how fast the running jobs of a worker are, the oldest first.

    Of a job on several devices nothing is returned: no other job shares with it.
    """
    jobs, live = tables.jobs.c, tables.live.c
    started_at = tables.attempts.c.started_at
    query = (
        sa.select(jobs.id, jobs.cost_kind, live.devices, live.progress)
        .select_from(tables.jobs.join(tables.live, live.job_id == jobs.id))
        .join(
            tables.attempts,
            sa.and_(tables.attempts.c.job_id == jobs.id, tables.attempts.c.number == jobs.attempt),
        )
        .where(jobs.state == "running", live.worker == worker)
        .order_by(started_at, jobs.id)
    )
    return [
        Speed(row.id, devices[0], row.cost_kind or row.id, _speed(row.progress))
        for row in connection.execute(query)
        if len(devices := _device_names(row.devices)) == 1
    ]


def _speed(progress: Any) -> float | None:
    value = progress.get("images_per_second") if isinstance(progress, dict) else None
    return float(value) if isinstance(value, float | int) and 0 < value < inf else None


def _requests(cancel_requested_at: Any, pause_requested_at: Any) -> UserRequests:
    return UserRequests(cancel_requested_at is not None, pause_requested_at is not None)


def _pid(value: Any) -> int | None:
    """Return the id of a process; None for a damaged value, which must not receive a signal."""
    return value if isinstance(value, int) and value > 1 else None


def _device_names(value: Any) -> list[str]:
    """Return the names of an attempt's devices, without what cannot be read."""
    return [name for name in value if isinstance(name, str)] if isinstance(value, list) else []


def record_worker(
    connection: sa.Connection,
    *,
    worker: str,
    host: str,
    pid: int,
    devices: list[Any],
    version: str | None = None,
) -> None:
    """Record that a worker is alive, with its devices and the version of its code."""
    at, workers = now(), tables.workers.c
    values = {"host": host, "pid": pid, "seen_at": at, "devices": devices, "version": version}
    update = sa.update(tables.workers).where(workers.id == worker).values(values)
    if not connection.execute(update).rowcount:
        connection.execute(sa.insert(tables.workers), {"id": worker, "started_at": at, **values})


def list_workers(connection: sa.Connection) -> list[WorkerRow]:
    """Return every worker there ever was, with the time of its last sign of life."""
    query = sa.select(tables.workers).order_by(tables.workers.c.id)
    return WorkerRow.read_all(connection.execute(query).mappings())


def largest_worker(database: Database) -> list[str]:
    """Return the names of the devices of the worker that has most; empty without any worker.

    Workers that were not seen for a while count only if there is no other.
    """
    with database.read() as connection:
        workers = list_workers(connection)
    at = now()
    present = [row for row in workers if at - row.seen_at <= timedelta(seconds=PRESENT_SECONDS)]
    names = [[device["name"] for device in row.devices] for row in present or workers]
    return max(names, key=len, default=[])


def take_lead(connection: sa.Connection, name: str, holder: str, *, seen: int | None) -> int | None:
    """Take or renew the lease of this name; return its beat, or None if another holder has it.

    The lease of another holder is taken only while its beat is `seen`. The caller has measured by
    its own clock how long that beat has not changed, so no two clocks are ever compared.
    """
    leases = tables.leases.c
    is_own = leases.holder == holder
    is_stale = sa.false() if seen is None else leases.beat == seen
    beat = connection.execute(
        sa.update(tables.leases)
        .where(leases.name == name, sa.or_(is_own, is_stale))
        .values(holder=holder, beat=leases.beat + 1)
        .returning(leases.beat)
    ).scalar_one_or_none()
    if beat is None and get_leader(connection, name) is None:
        connection.execute(sa.insert(tables.leases), {"name": name, "holder": holder, "beat": 1})
        return 1
    return beat


def get_leader(connection: sa.Connection, name: str) -> tuple[str, int] | None:
    """Return the holder of a lease and its beat; None if nobody ever held it."""
    leases = tables.leases.c
    query = sa.select(leases.holder, leases.beat).where(leases.name == name)
    row = connection.execute(query).one_or_none()
    return None if row is None else (row.holder, row.beat)
