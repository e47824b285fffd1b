"""The metrics of a job as series: a name's values over the steps of a stage."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, get_args

import sqlalchemy as sa

from shared import tables
from shared.jobs.rows import MetricPoint, Split

SPLITS = {*get_args(Split), None}
#: Values that are read at once.
CHUNK = 1000


@dataclass(frozen=True)
class Series:
    """The values of a metric over the steps of a stage."""

    name: str
    split: str | None
    stage: str
    #: The number of points.
    count: int


@dataclass(frozen=True)
class Window:
    """A part of the points of a series: after a step, and from an epoch to another."""

    after_step: int | None = None
    from_epoch: int | None = None
    to_epoch: int | None = None

    def conditions(self) -> list[sa.ColumnElement[bool]]:
        """Return the conditions for the rows of the points."""
        column, found = tables.metrics.c, list[sa.ColumnElement[bool]]()
        if self.after_step is not None:
            found.append(column.step > self.after_step)
        if self.from_epoch is not None:
            found.append(column.epoch >= self.from_epoch)
        if self.to_epoch is not None:
            found.append(column.epoch <= self.to_epoch)
        return found


WHOLE = Window()


def list_series(
    connection: sa.Connection,
    job_id: str,
    *,
    name: str | None = None,
    split: str | None = None,
    stage: str | None = None,
    window: Window = WHOLE,
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
    counts = counts.where(*window.conditions())
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
    connection: sa.Connection, job_id: str, series: Series, *, window: Window = WHOLE
) -> Iterator[Value]:
    """Yield the values of a series by step; values that are no numbers are left out."""
    for chunk in list_chunks(connection, job_id, series, window=window):
        yield from map(Value, *chunk)


def list_chunks(
    connection: sa.Connection, job_id: str, series: Series, *, window: Window = WHOLE
) -> Iterator[tuple[list[int], list[float]]]:
    """Yield the steps and the values of a series by step, about a thousand at once.

    Values that are no numbers are left out. Reading a value takes a small part of the time of
    reading a point.
    """
    column = tables.metrics.c
    # Without the type of the column, which would convert each NULL by a call.
    query = sa.select(column.step, sa.type_coerce(column.value, sa.types.NullType()))
    query = query.where(*_is_of_series(job_id, series, window)).order_by(column.step)
    query = query.execution_options(yield_per=CHUNK)
    for rows in connection.execute(query).partitions():
        steps, values = ([*each] for each in zip(*rows, strict=True))
        if {*map(type, steps)} != {int} or {*map(type, values)} != {float}:
            pairs = [
                (step, math.nan if value is None else value)
                for step, value in zip(steps, values, strict=True)
                if isinstance(step, int) and isinstance(value, float | None)
            ]
            steps, values = [step for step, _ in pairs], [value for _, value in pairs]
        yield steps, values


def find_id(connection: sa.Connection, job_id: str, series: Series, step: int) -> int | None:
    """Return the id of the row of a series at a step; None where there is none.

    A resumed attempt deletes the end of a series and records it again with other ids.
    """
    column = tables.metrics.c
    query = sa.select(column.id).where(*_is_of_series(job_id, series), column.step == step)
    return connection.execute(query).scalar_one_or_none()


def list_points(
    connection: sa.Connection,
    job_id: str,
    series: Series,
    *,
    steps: Sequence[int] | None = None,
    limit: int | None = None,
    skipped: int = 0,
    window: Window = WHOLE,
) -> list[MetricPoint]:
    """Return points of a series, by step. Points that cannot be read are left out.

    Args:
        connection: for reading.
        job_id: of the job.
        series: the series.
        steps: only points of these steps.
        limit: maximum number of points.
        skipped: how many points at the beginning of the window are left out.
        window: only points in it.
    """
    column = tables.metrics.c
    query = sa.select(column.step, column.epoch, column.value, column.at)
    query = query.where(*_is_of_series(job_id, series, window)).order_by(column.step)
    if steps is not None:
        query = query.where(column.step.in_(steps))
    rows = connection.execute(query.limit(limit).offset(skipped)).mappings()
    return MetricPoint.read_all(rows)


def _is_of_series(
    job_id: str, series: Series, window: Window = WHOLE
) -> list[sa.ColumnElement[bool]]:
    column = tables.metrics.c
    is_own = [column.job_id == job_id, column.name == series.name, column.stage == series.stage]
    return [*is_own, *window.conditions()]
