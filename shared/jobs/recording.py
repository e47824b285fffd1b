"""Recording of an attempt in batches, each in a transaction under the fence."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from shared import tables
from shared.clock import now
from shared.errors import Fenced
from shared.jobs.attempts import Lease, is_held_by
from shared.jobs.counts import next_revision
from shared.jobs.events import NewEvent, append_events
from shared.jobs.findings import NewDiagnosis, NewWatch, store_findings, store_watch
from shared.jobs.rows import ArtifactRow


@dataclass(frozen=True, kw_only=True)
class NewMetric:
    """A metric value to record, which may be infinite or NaN."""

    name: str
    split: str | None
    stage: str
    step: int
    epoch: int
    value: float
    at: datetime


@dataclass(frozen=True, kw_only=True)
class NewCheckpoint:
    """A checkpoint to record; `tables.checkpoints` explains the fields."""

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
    """The test results of a checkpoint, to record."""

    checkpoint_id: str
    split: str
    data: dict[str, Any]
    predictions: str


@dataclass(frozen=True, kw_only=True)
class NewArtifact:
    """A result file in the storage, to record."""

    id: str
    name: str
    path: str
    media_type: str
    bytes: int
    sha256: str
    created_at: datetime


@dataclass(kw_only=True)
class Batch:
    """Everything since the previous batch. `phase`, `latest` and `best` replace earlier values."""

    metrics: list[NewMetric] = field(default_factory=list)
    events: list[NewEvent] = field(default_factory=list)
    checkpoints: list[NewCheckpoint] = field(default_factory=list)
    evaluations: list[NewEvaluation] = field(default_factory=list)
    artifacts: list[NewArtifact] = field(default_factory=list)
    diagnosis: NewDiagnosis | None = None
    watch: NewWatch | None = None
    phase: str | None = None
    latest: dict[str, Any] | None = None
    best: dict[str, Any] | None = None


def record(
    connection: sa.Connection, lease: Lease, batch: Batch, *, number: int | None = None
) -> list[str]:
    """Store a batch; return the directories to which no checkpoint refers any more.

    A new best checkpoint replaces the earlier best by its monitor. A new last checkpoint turns the
    earlier last checkpoint into `previous`.

    Args:
        connection: in a transaction.
        lease: of the attempt.
        batch: to store.
        number: the number of the batch in the attempt, from 1. A batch that is sent again, because
            the answer was lost, is not stored twice. None stores it in any case.

    Raises:
        Fenced: the attempt no longer holds the job; nothing was stored.
    """
    jobs = tables.jobs
    changes: dict[str, Any] = {"revision": next_revision()}
    if batch.phase is not None:
        is_cancelling = jobs.c.cancel_requested_at.is_not(None)
        is_pausing = jobs.c.pause_requested_at.is_not(None)
        live = tables.live.c
        is_yielding = sa.exists().where(
            live.job_id == jobs.c.id, live.yield_requested_at.is_not(None)
        )
        phase = sa.case(
            (is_cancelling, "cancelling"),
            (is_pausing, "pausing"),
            (is_yielding, "yielding"),
            else_=batch.phase,
        )
        changes["phase"] = phase
    if batch.latest is not None:
        changes["metrics"] = batch.latest
    if batch.best is not None:
        changes["best"] = batch.best
    if batch.diagnosis is not None:
        changes |= {"findings": batch.diagnosis.counts, "headline": batch.diagnosis.headline}
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
    if batch.diagnosis is not None:
        store_findings(connection, lease, batch.diagnosis.findings)
    if batch.watch is not None:
        store_watch(connection, lease, batch.watch)
    append_events(connection, lease.job_id, now(), *batch.events)
    return released


def put_artifact(connection: sa.Connection, job_id: str, artifact: NewArtifact) -> ArtifactRow:
    """Store a file that was made for a job outside of its attempts; return its row.

    A file with the same content keeps its row; another file of the same name loses its row.
    """
    of_name = (tables.artifacts.c.job_id == job_id) & (tables.artifacts.c.name == artifact.name)
    query = sa.select(tables.artifacts).where(of_name).with_for_update()
    known = connection.execute(query).mappings().first()
    if known is not None and known["sha256"] == artifact.sha256:
        return ArtifactRow.read(known)
    connection.execute(sa.delete(tables.artifacts).where(of_name))
    values = {"job_id": job_id, **vars(artifact)}
    connection.execute(sa.insert(tables.artifacts), values)
    return ArtifactRow(**values)


def _is_new(connection: sa.Connection, lease: Lease, number: int) -> bool:
    """Count the batch; return whether this is the first time. The job's row is locked."""
    attempts = tables.attempts.c
    update = connection.execute(
        sa.update(tables.attempts)
        .where(attempts.job_id == lease.job_id, attempts.number == lease.attempt)
        .where(attempts.batches < number)
        .values(batches=number)
    )
    return update.rowcount == 1


def _insert(
    connection: sa.Connection, table: sa.Table, lease: Lease, rows: list[Any], **extra: Any
) -> None:
    if rows:
        values = [{"job_id": lease.job_id, **vars(row), **extra} for row in rows]
        connection.execute(sa.insert(table), values)


def _store_checkpoint(connection: sa.Connection, lease: Lease, row: NewCheckpoint) -> list[str]:
    """Store the checkpoint in its role; return the directories that are no longer used."""
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
