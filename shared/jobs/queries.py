"""Queries for jobs and what they recorded. How a row looks in JSON is decided by the API."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa

from shared import tables
from shared.datasets import FACTS
from shared.ids import ALPHABET, LENGTH
from shared.jobs.analyses import is_training
from shared.jobs.partial_rows import read_in_part
from shared.jobs.quarantine import is_not_quarantined
from shared.jobs.rows import (
    ArtifactRow,
    AttemptRow,
    CheckpointRow,
    EvaluationRow,
    JobRow,
    MetricRow,
)
from shared.jobs.series import WHOLE, Window

MAX_TAG_KEY_LENGTH = 64
ID_LENGTH = len("job_") + LENGTH

_job_and_live = sa.select(
    tables.jobs,
    tables.live.c.beat,
    tables.live.c.progress,
    tables.live.c.devices,
    sa.case((tables.jobs.c.state == "running", tables.live.c.at)).label("heartbeat_at"),
).select_from(tables.jobs.outerjoin(tables.live))


def get_job(connection: sa.Connection, job_id: str) -> JobRow | None:
    """Return a job with its newest heartbeat, or None.

    Raises:
        RowUnreadable: its row cannot be read.
    """
    row = connection.execute(_job_and_live.where(tables.jobs.c.id == job_id)).mappings().first()
    return None if row is None else JobRow.read(row)


def get_job_in_part(connection: sa.Connection, job_id: str) -> JobRow | None:
    """Return a job, as `get_job` does, or what of it can be read as an `UnreadableJobRow`."""
    row = connection.execute(_job_and_live.where(tables.jobs.c.id == job_id)).mappings().first()
    return None if row is None else read_in_part(row)


def get_jobs(connection: sa.Connection, job_ids: Collection[str]) -> dict[str, JobRow]:
    """Return the jobs with these ids whose rows can be read, by id."""
    rows = connection.execute(_job_and_live.where(tables.jobs.c.id.in_(job_ids))).mappings()
    return {row.id: row for row in JobRow.read_all(rows)}


def get_versions(connection: sa.Connection, job_ids: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    """Return `(revision, beat, state, phase)` of each job, by which clients detect a change."""
    jobs = tables.jobs.c
    rows = connection.execute(
        sa.select(jobs.id, jobs.revision, tables.live.c.beat, jobs.state, jobs.phase)
        .select_from(tables.jobs.outerjoin(tables.live))
        .where(jobs.id.in_(job_ids))
    )
    return {row.id: (row.revision, row.beat, row.state, row.phase) for row in rows}


def list_jobs(
    connection: sa.Connection,
    *,
    limit: int,
    kind: str = "training",
    only_owner: str | None,
    after: str | None = None,
    state: str | None = None,
    owner: str | None = None,
    dataset: str | None = None,
    sweep: str | None = None,
    tag: str | None = None,
    named: str | None = None,
    named_by: str | None = None,
) -> list[JobRow]:
    """Return at most `limit` jobs that match every filter, newest first, older than `after`.

    `only_owner` is the only person whose jobs the caller may read; None for all. `tag` is a key, or
    a key and a value separated by a colon or an equals sign. `named` is the beginning of an id, or
    a name among the jobs of `named_by` (of everybody if None). A job whose row cannot be read is an
    `UnreadableJobRow`.
    """
    jobs = tables.jobs.c
    query = _job_and_live.order_by(jobs.id.desc()).limit(limit)
    is_older = sa.true() if after is None else jobs.id < after
    query = query.where(is_training() if kind == "training" else jobs.kind == kind, is_older)
    filters = ((jobs.state, state), (jobs.owner, owner), (jobs.sweep_id, sweep))
    for column, value in (*filters, (jobs.owner, only_owner)):
        if value is not None:
            query = query.where(column == value)
    if dataset is not None:
        query = query.where(is_of_dataset(dataset))
    if tag is not None:
        query = query.where(jobs.id.in_(sa.select(tables.tags.c.job_id).where(_is_tag(tag))))
    if named is not None:
        query = query.where(jobs.id.in_(_ids_of_name(named, named_by)))
    return [read_in_part(row) for row in connection.execute(query).mappings()]


def is_of_dataset(name: str) -> sa.ColumnElement[bool]:
    """Return the condition for a data set; the name of an upload stands for all its versions."""
    column, is_whole = tables.jobs.c.dataset, name in FACTS or "@" in name
    return column == name if is_whole else column.startswith(f"{name}@", autoescape=True)


def _ids_of_name(
    text: str, owner: str | None
) -> sa.Select[tuple[str]] | sa.CompoundSelect[tuple[str]]:
    """Return the query for the ids of jobs with a name, or with this beginning of their id."""
    jobs = tables.jobs.c
    of_name = sa.select(jobs.id).where(jobs.name == text)
    if owner is not None:
        of_name = of_name.where(jobs.owner == owner)
    if not text.startswith("job_"):
        return of_name
    # Between complete ids, because the order of other characters depends on the database.
    first, last = (text.ljust(ID_LENGTH, character) for character in (ALPHABET[0], ALPHABET[-1]))
    # Two queries, so that each uses its index.
    return sa.union(of_name, sa.select(jobs.id).where(jobs.id.between(first, last)))


def list_names(connection: sa.Connection, owner: str, stem: str) -> set[str]:
    """Return the names of an owner's jobs that begin with a text."""
    jobs = tables.jobs.c
    begins = jobs.name.startswith(stem, autoescape=True)
    query = sa.select(jobs.name).where(jobs.owner == owner, begins).distinct()
    return set(connection.execute(query).scalars())


def _is_tag(text: str) -> sa.ColumnElement[bool]:
    """Return the condition for `key`, `key:value` or `key=value`, also where the key has either."""
    key, value = tables.tags.c.key, tables.tags.c.value
    head = text[: MAX_TAG_KEY_LENGTH + 1]
    ends = (index for index, character in enumerate(head) if character in ":=")
    pairs = (sa.and_(key == text[:end], value == text[end + 1 :]) for end in ends)
    return sa.or_(key == text, *pairs)


def is_any_queued(connection: sa.Connection) -> bool:
    """Return whether a job waits that may start."""
    is_queued = sa.text("jobs.state = 'queued'")
    query = sa.select(tables.jobs.c.id).where(is_queued, is_not_quarantined()).limit(1)
    return connection.execute(query).first() is not None


def list_attempts(connection: sa.Connection, job_id: str) -> list[AttemptRow]:
    """Return the attempts of a job, oldest first."""
    return AttemptRow.read_all(_of_job(connection, tables.attempts, job_id, order_by="number"))


def list_checkpoints(connection: sa.Connection, job_id: str) -> list[CheckpointRow]:
    """Return the checkpoints of a job, oldest first."""
    return CheckpointRow.read_all(_of_job(connection, tables.checkpoints, job_id, order_by="id"))


def list_evaluations(connection: sa.Connection, job_id: str) -> list[EvaluationRow]:
    """Return the test results of a job's checkpoints."""
    rows = _of_job(connection, tables.evaluations, job_id, order_by="checkpoint_id")
    return EvaluationRow.read_all(rows)


def list_artifacts(connection: sa.Connection, job_id: str) -> list[ArtifactRow]:
    """Return the result files of a job, by name."""
    return ArtifactRow.read_all(_of_job(connection, tables.artifacts, job_id, order_by="name"))


def list_artifacts_of(
    connection: sa.Connection, job_ids: Collection[str]
) -> dict[str, list[ArtifactRow]]:
    """Return the result files of jobs, by name, by the id of their job."""
    columns, found = tables.artifacts.c, defaultdict[str, list[ArtifactRow]](list)
    query = sa.select(tables.artifacts).where(columns.job_id.in_(job_ids)).order_by(columns.name)
    for row in connection.execute(query).mappings():
        found[row["job_id"]] += ArtifactRow.read_all([row])
    return found


def get_job_of(connection: sa.Connection, checkpoint_id: str) -> str | None:
    """Return the id of the job of a checkpoint, or None."""
    checkpoints = tables.checkpoints.c
    query = sa.select(checkpoints.job_id).where(checkpoints.id == checkpoint_id)
    return connection.execute(query).scalar_one_or_none()


def list_directories(connection: sa.Connection, job_id: str) -> set[Any]:
    """Return the directories of a job's checkpoints, as stored, also of unreadable rows."""
    checkpoints = tables.checkpoints.c
    query = sa.select(checkpoints.directory).where(checkpoints.job_id == job_id)
    return set(connection.execute(query).scalars())


def list_metrics(
    connection: sa.Connection,
    job_id: str,
    *,
    name: str | None = None,
    split: str | None = None,
    stage: str | None = None,
    window: Window = WHOLE,
    limit: int | None = None,
    after_id: int | None = None,
    up_to: tuple[int, int] | None = None,
) -> list[MetricRow]:
    """Return the metric values of a job, in the order in which they were recorded.

    Args:
        connection: for reading.
        job_id: of the job.
        name: of the metric.
        split: of the metric.
        stage: of the job.
        window: only rows in it.
        limit: maximum number of rows.
        after_id: only rows with a greater id.
        up_to: only rows up to this step and epoch.
    """
    column = tables.metrics.c
    query = sa.select(tables.metrics).where(column.job_id == job_id)
    for field, value in ((column.name, name), (column.split, split), (column.stage, stage)):
        if value is not None:
            query = query.where(field == value)
    query = query.where(*window.conditions())
    if up_to is not None:
        query = query.where(column.step <= up_to[0], column.epoch <= up_to[1])
    if after_id is not None:
        query = query.where(column.id > after_id)
    rows = connection.execute(query.order_by(column.id).limit(limit)).mappings()
    return MetricRow.read_all(rows)


def _of_job(
    connection: sa.Connection, table: sa.Table, job_id: str, *, order_by: str
) -> sa.MappingResult:
    query = sa.select(table).where(table.c.job_id == job_id).order_by(table.c[order_by])
    return connection.execute(query).mappings()
