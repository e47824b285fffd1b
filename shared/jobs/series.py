"""The metrics of a job as series: a name's values over the steps of a stage."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, get_args

import sqlalchemy as sa

from shared import tables
from shared.jobs.rows import MetricPoint, Split

SPLITS = {*get_args(Split), None}


@dataclass(frozen=True)
class Series:
    """The values of a metric over the steps of a stage."""

    name: str
    split: str | None
    stage: str
    #: The number of points.
    count: int


def list_series(
    connection: sa.Connection,
    job_id: str,
    *,
    name: str | None = None,
    split: str | None = None,
    stage: str | None = None,
    after_step: int | None = None,
) -> list[Series]:
    """Return the series of a job's metrics, in the order in which they began.

    A metric name belongs to one split. The points are counted by an index without the split, which
    is then read from the first point of each series. Series whose names cannot be read are left
    out.
    """
    column = tables.metrics.c
    counts = sa.select(sa.func.min(column.id).label("id"), sa.func.count().label("count"))
    for field, value in ((column.name, name), (column.stage, stage)):
        if value is not None:
            counts = counts.where(field == value)
    if after_step is not None:
        counts = counts.where(column.step > after_step)
    by_series = counts.where(column.job_id == job_id).group_by(column.name, column.stage)
    firsts = by_series.subquery()
    query = sa.select(column.name, column.split, column.stage, firsts.c.count)
    query = query.join(firsts, firsts.c.id == column.id).order_by(column.id)
    if split is not None:
        query = query.where(column.split == split)
    return [
        Series(*row)
        for row in connection.execute(query)
        if isinstance(row.name, str) and isinstance(row.stage, str) and row.split in SPLITS
    ]


class Value(NamedTuple):
    """A value of a series."""

    step: int
    value: float


def list_values(
    connection: sa.Connection, job_id: str, series: Series, *, after_step: int | None = None
) -> Iterator[Value]:
    """Yield the values of a series by step; values that are no numbers are left out.

    Reading a value takes a small part of the time of reading a point.
    """
    column = tables.metrics.c
    query = sa.select(column.step, column.value).where(*_is_of_series(job_id, series, after_step))
    query = query.order_by(column.step).execution_options(yield_per=1000)
    for step, value in connection.execute(query):
        if isinstance(step, int) and isinstance(value, float):
            yield Value(step, value)


def list_points(
    connection: sa.Connection,
    job_id: str,
    series: Series,
    *,
    steps: Sequence[int] | None = None,
    limit: int | None = None,
    skipped: int = 0,
    after_step: int | None = None,
) -> list[MetricPoint]:
    """Return points of a series, by step. Points that cannot be read are left out.

    Args:
        connection: for reading.
        job_id: of the job.
        series: the series.
        steps: only points of these steps.
        limit: maximum number of points.
        skipped: how many points after `after_step` are left out.
        after_step: only points after this step.
    """
    column = tables.metrics.c
    query = sa.select(column.step, column.epoch, column.value, column.at)
    query = query.where(*_is_of_series(job_id, series, after_step)).order_by(column.step)
    if steps is not None:
        query = query.where(column.step.in_(steps))
    rows = connection.execute(query.limit(limit).offset(skipped)).mappings()
    return MetricPoint.read_all(rows)


def _is_of_series(
    job_id: str, series: Series, after_step: int | None
) -> list[sa.ColumnElement[bool]]:
    column = tables.metrics.c
    conditions = [
        column.job_id == job_id,
        column.name == series.name,
        column.stage == series.stage,
    ]
    return conditions if after_step is None else [*conditions, column.step > after_step]
