"""What attempts have shown, in the database. Each query reads a bounded number of rows by index."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from math import log
from typing import Any

import sqlalchemy as sa

from shared import tables
from shared.jobs.attempts import Lease
from shared.jobs.estimates.cost import Cost
from shared.jobs.estimates.durations import BASES, Observation, plausible, z90_of

#: How many of the newest attempts are read: of the kind, of the architecture, of all kinds.
MAX_SEEN, MAX_ARCHITECTURE, MAX_COLD = 20, 40, 100
#: From how many of the newest predictions of each basis p90 is corrected.
MAX_ERRORS = 500
MAX_SHARERS = 1_000

_rows = tables.observations.c
_COLUMNS = (
    _rows.kind,
    _rows.family,
    _rows.device_model,
    _rows.size,
    _rows.pass_seconds,
    _rows.overhead_seconds,
    _rows.fraction,
    _rows.sharers,
    _rows.peak_memory_mib,
    _rows.network_mib,
)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What an attempt measured of itself, by a clock that does not jump."""

    device_model: str
    pass_seconds: float | None
    #: Of a whole job in one attempt; else None.
    overhead_seconds: float | None = None
    fraction: float | None = None
    peak_memory_mib: float | None = None
    #: Of this attempt.
    seconds: float
    #: Whether the job has succeeded with it.
    is_last: bool


def add(
    connection: sa.Connection, lease: Lease, cost: Cost, measured: Measured, at: datetime
) -> None:
    """Record what an attempt has shown.

    Args:
        connection: in a transaction.
        lease: of the attempt; nothing is recorded twice for it.
        cost: of its job.
        measured: in the attempt.
        at: when it ended.
    """
    mine = sa.and_(_rows.job_id == lease.job_id, _rows.attempt == lease.attempt)
    if connection.execute(sa.select(_rows.id).where(mine)).first() is not None:
        return
    jobs = tables.jobs.c
    query = sa.select(jobs.estimate).where(jobs.id == lease.job_id)
    stored = connection.execute(query).scalar_one_or_none()
    estimate: dict[str, Any] = stored if isinstance(stored, dict) else {}
    basis, memory_basis = estimate.get("basis"), estimate.get("memory_basis")
    seconds = None
    if measured.is_last:
        seconds = measured.seconds + _earlier_seconds(connection, lease)
    row = {
        "job_id": lease.job_id,
        "attempt": lease.attempt,
        "kind": cost.kind,
        "family": cost.family[:100],
        "device_model": measured.device_model[:128],
        "size": cost.size,
        "ended_at": at,
        "pass_seconds": measured.pass_seconds,
        "overhead_seconds": measured.overhead_seconds,
        "fraction": measured.fraction,
        "sharers": _count_sharers(connection, lease),
        "peak_memory_mib": measured.peak_memory_mib,
        "network_mib": plausible(estimate.get("network_mib")),
        "seconds": seconds,
        "basis": basis if basis in BASES else None,
        "predicted_p50": plausible(estimate.get("p50")),
        "predicted_p90": plausible(estimate.get("p90")),
        "predicted_sigma": plausible(estimate.get("sigma")),
        "memory_basis": memory_basis if memory_basis in BASES else None,
        "predicted_memory_mib": plausible(estimate.get("memory_mib")),
    }
    connection.execute(sa.insert(tables.observations), row)


def _earlier_seconds(connection: sa.Connection, lease: Lease) -> float:
    """Return the time of the job's earlier attempts; 0 for an end before the start."""
    attempts = tables.attempts.c
    query = sa.select(attempts.started_at, attempts.ended_at)
    query = query.where(attempts.job_id == lease.job_id, attempts.number < lease.attempt)
    return sum(
        max(0.0, (row.ended_at - row.started_at).total_seconds())
        for row in connection.execute(query)
        if isinstance(row.started_at, datetime) and isinstance(row.ended_at, datetime)
    )


def _count_sharers(connection: sa.Connection, lease: Lease) -> int:
    """Return how many running jobs use a device of this attempt, itself included."""
    live, jobs = tables.live.c, tables.jobs.c
    query = sa.select(live.job_id, live.worker, live.devices).join_from(tables.live, tables.jobs)
    rows = connection.execute(query.where(jobs.state == "running")).all()
    own = {_place(row.worker, row.devices) for row in rows if row.job_id == lease.job_id}
    names = frozenset[tuple[str, str]]().union(*own)
    return 1 + sum(
        row.job_id != lease.job_id and bool(names & _place(row.worker, row.devices)) for row in rows
    )


def _place(worker: Any, devices: Any) -> frozenset[tuple[str, str]]:
    names = devices if isinstance(devices, list) else []
    return frozenset((str(worker), name) for name in names if isinstance(name, str))


def read_seen(connection: sa.Connection, kind: str, *, limit: int = MAX_SEEN) -> list[Observation]:
    """Return the newest observations of a kind."""
    return _read(connection, limit, _rows.kind == kind)


def read_architecture(connection: sa.Connection, family: str) -> list[Observation]:
    """Return the newest observations of an architecture."""
    return _read(connection, MAX_ARCHITECTURE, _rows.family == family[:100])


def read_cold(connection: sa.Connection) -> list[Observation]:
    """Return the newest observations of all kinds."""
    return _read(connection, MAX_COLD)


def _read(connection: sa.Connection, limit: int, *where: Any) -> list[Observation]:
    query = sa.select(*_COLUMNS).where(*where).order_by(_rows.id.desc()).limit(limit)
    return list(readable(connection.execute(query)))


def readable(rows: Iterable[Any]) -> Iterable[Observation]:
    """Yield the observations of rows, without what is damaged."""
    for row in rows:
        size = plausible(row.size)
        texts = (row.kind, row.family, row.device_model)
        if size is None or not all(isinstance(text, str) for text in texts):
            continue
        is_count = type(row.sharers) is int and 0 < row.sharers <= MAX_SHARERS
        fraction = plausible(row.fraction)
        yield Observation(
            *texts,
            size,
            plausible(row.pass_seconds),
            _or_zero(row.overhead_seconds),
            None if fraction is None else min(1.0, fraction),
            row.sharers if is_count else 1,
            plausible(row.peak_memory_mib),
            plausible(row.network_mib),
        )


def read_epochs_before(connection: sa.Connection, checkpoint: str | None) -> int:
    """Return how many epochs are in the checkpoint from which a job starts; 0 without one."""
    epoch = tables.checkpoints.c.epoch
    query = sa.select(epoch).where(tables.checkpoints.c.id == checkpoint)
    return epochs_of(connection.execute(query).scalar_one_or_none() if checkpoint else None)


def epochs_of(value: Any) -> int:
    """Return a stored number of epochs; 0 for what is none."""
    return value if type(value) is int and value > 0 else 0


def read_z90(connection: sa.Connection) -> dict[str, float]:
    """Return by basis how many σ above p50 the time lies that 90 % of the jobs did not exceed."""
    return {basis: z90_of(_errors(connection, basis)) for basis in BASES}


def _errors(connection: sa.Connection, basis: str) -> list[float]:
    query = sa.select(_rows.seconds, _rows.predicted_p50, _rows.predicted_sigma)
    query = query.where(_rows.basis == basis).order_by(_rows.id.desc()).limit(MAX_ERRORS)
    found: list[float] = []
    for row in connection.execute(query):
        seconds, p50, sigma = map(plausible, row)
        if seconds is not None and p50 is not None and sigma is not None:
            found.append(log(seconds / p50) / sigma)
    return found


def _or_zero(value: Any) -> float | None:
    return 0.0 if value == 0 and not isinstance(value, bool) else plausible(value)
