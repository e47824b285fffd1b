"""What an attempt records while it trains, in batches, each one transaction under the fence."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from shared import tables
from shared.clock import now
from shared.errors import Fenced
from shared.jobs.attempts import Lease, is_held_by
from shared.jobs.events import NewEvent, append_events


@dataclass(frozen=True, kw_only=True)
class NewMetric:
    """One value of one metric. `value` may be infinite or not a number."""

    name: str
    split: str | None
    stage: str
    step: int
    epoch: int
    value: float
    at: datetime


@dataclass(frozen=True, kw_only=True)
class NewCheckpoint:
    """One checkpoint as it is stored: see `tables.checkpoints` for the fields."""

    id: str
    kind: str
    monitor: str | None
    mode: str | None
    value: float | None
    stage: str
    epoch: int
    step: int
    directory: str
    bytes: int
    sha256: str
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class NewEvaluation:
    """What a checkpoint reaches on the test split."""

    checkpoint_id: str
    split: str
    data: dict[str, Any]
    predictions: str


@dataclass(frozen=True, kw_only=True)
class NewArtifact:
    """A file of results, in the storage."""

    id: str
    name: str
    path: str
    media_type: str
    bytes: int
    sha256: str
    created_at: datetime


@dataclass(kw_only=True)
class Batch:
    """What has come up since the last one. `phase`, `latest` and `best` replace what was there."""

    metrics: list[NewMetric] = field(default_factory=list)
    events: list[NewEvent] = field(default_factory=list)
    checkpoints: list[NewCheckpoint] = field(default_factory=list)
    evaluations: list[NewEvaluation] = field(default_factory=list)
    artifacts: list[NewArtifact] = field(default_factory=list)
    phase: str | None = None
    latest: dict[str, Any] | None = None
    best: dict[str, Any] | None = None


def record(
    connection: sa.Connection, lease: Lease, batch: Batch, *, number: int | None = None
) -> list[str]:
    """Store a batch; return the directories that no checkpoint refers to any more.

    A new best replaces the old one of its monitor, a new last makes the old one `previous`.

    Args:
        connection: in a transaction.
        lease: the right to write.
        batch: what to store.
        number: its place among the attempt's batches, from 1, so that it can be sent again when
            the answer was lost: one that is stored already is not stored again. None: store it.

    Raises:
        Fenced: the attempt no longer holds the job; nothing was stored.
    """
    jobs = tables.jobs
    changes: dict[str, Any] = {"revision": jobs.c.revision + 1}
    if batch.phase is not None:
        asked = jobs.c.cancel_requested_at.is_not(None)
        changes["phase"] = sa.case((asked, "cancelling"), else_=batch.phase)
    if batch.latest is not None:
        changes["metrics"] = batch.latest
    if batch.best is not None:
        changes["best"] = batch.best
    if not connection.execute(sa.update(jobs).where(is_held_by(lease)).values(**changes)).rowcount:
        raise Fenced
    if number is not None and not _is_new(connection, lease, number):
        return []
    _insert(connection, tables.metrics, lease, batch.metrics)
    released = [
        directory
        for row in batch.checkpoints
        for directory in _store_checkpoint(connection, lease, row)
    ]
    _insert(connection, tables.evaluations, lease, batch.evaluations)
    for row in batch.artifacts:
        old = tables.artifacts.c
        connection.execute(
            sa.delete(tables.artifacts).where(old.job_id == lease.job_id, old.name == row.name)
        )
    _insert(connection, tables.artifacts, lease, batch.artifacts)
    append_events(connection, lease.job_id, now(), *batch.events)
    return released


def _is_new(connection: sa.Connection, lease: Lease, number: int) -> bool:
    """Count the batch; return whether it was not counted before. The job's row is locked."""
    attempts = tables.attempts.c
    counted = connection.execute(
        sa.update(tables.attempts)
        .where(attempts.job_id == lease.job_id, attempts.number == lease.attempt)
        .where(attempts.batches < number)
        .values(batches=number)
    )
    return counted.rowcount == 1


def _insert(
    connection: sa.Connection, table: sa.Table, lease: Lease, rows: list[Any], **extra: Any
) -> None:
    if rows:
        values = [{"job_id": lease.job_id, **vars(row), **extra} for row in rows]
        connection.execute(sa.insert(table), values)


def _store_checkpoint(connection: sa.Connection, lease: Lease, row: NewCheckpoint) -> list[str]:
    """Put the checkpoint in its place; return directories that are free now."""
    old = tables.checkpoints.c
    mine = old.job_id == lease.job_id
    replaced: sa.ColumnElement[bool]
    if row.kind == "last":
        replaced = sa.and_(mine, old.kind == "previous")
    elif row.kind == "series":
        replaced = sa.and_(mine, old.kind == "series", old.step == row.step)
    else:
        replaced = sa.and_(
            mine, old.kind == row.kind, old.monitor.is_not_distinct_from(row.monitor)
        )
    gone = connection.execute(
        sa.delete(tables.checkpoints).where(replaced).returning(old.directory)
    ).scalars()
    candidates = {directory for directory in gone if directory != row.directory}
    if row.kind == "last":
        connection.execute(
            sa.update(tables.checkpoints).where(mine, old.kind == "last").values(kind="previous")
        )
    _insert(connection, tables.checkpoints, lease, [row], attempt=lease.attempt)
    if not candidates:
        return []
    used = connection.execute(
        sa.select(old.directory).where(mine, old.directory.in_(candidates))
    ).scalars()
    return sorted(candidates - set(used))
