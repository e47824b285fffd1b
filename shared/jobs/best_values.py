"""The best values of metrics: of some jobs, and of all jobs on a data set. Finite values only."""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import sqlalchemy as sa

from shared import tables
from shared.jobs.analyses import is_training
from shared.jobs.queries import is_of_dataset

Direction = Literal["higher", "lower"]


class Extreme(NamedTuple):
    """The lowest or the highest value of a metric of a job, where it occurred first."""

    job_id: str
    name: str
    value: float
    step: int
    epoch: int


def list_extremes(
    connection: sa.Connection, job_ids: Sequence[str], *, name: str | None = None
) -> list[Extreme]:
    """Return the lowest and the highest value of each metric of some jobs.

    Args:
        connection: for reading.
        job_ids: of the jobs.
        name: only this metric.
    """
    column = tables.metrics.c
    conditions = [column.job_id.in_(job_ids), _is_finite()]
    if name is not None:
        conditions.append(column.name == name)
    bounds = (
        sa.select(
            column.job_id,
            column.name,
            sa.func.min(column.value).label("lowest"),
            sa.func.max(column.value).label("highest"),
        )
        .where(*conditions)
        .group_by(column.job_id, column.name)
        .subquery()
    )
    is_of_series = sa.and_(column.job_id == bounds.c.job_id, column.name == bounds.c.name)
    query = (
        sa.select(
            column.job_id,
            column.name,
            column.value,
            sa.func.min(column.step),
            sa.func.min(column.epoch),
        )
        .join(bounds, is_of_series)
        .where(sa.or_(column.value == bounds.c.lowest, column.value == bounds.c.highest))
        .group_by(column.job_id, column.name, column.value)
    )
    return [Extreme(*row) for row in connection.execute(query)]


def best_of(extremes: Sequence[Extreme], direction: Direction | None) -> Extreme | None:
    """Return the better of a metric's lowest and highest value; None without a direction."""
    if direction is None or not extremes:
        return None
    choose = max if direction == "higher" else min
    return choose(extremes, key=lambda extreme: extreme.value)


def rank_jobs(
    connection: sa.Connection,
    *,
    dataset: str,
    metric: str,
    direction: Direction,
    only_owner: str | None,
) -> list[str]:
    """Return the ids of the jobs on a data set that have a metric, by its best value.

    `only_owner` is the only person whose jobs the caller may read; None for all. Of jobs with equal
    values the oldest comes first.
    """
    column, jobs = tables.metrics.c, tables.jobs.c
    best = sa.func.max(column.value) if direction == "higher" else sa.func.min(column.value)
    order = best.desc() if direction == "higher" else best
    query = (
        sa.select(column.job_id)
        .join(tables.jobs, jobs.id == column.job_id)
        .where(is_of_dataset(dataset), is_training(), column.name == metric, _is_finite())
        .where(sa.true() if only_owner is None else jobs.owner == only_owner)
        .group_by(column.job_id)
        .order_by(order, column.job_id)
    )
    return list(connection.execute(query).scalars())


def _is_finite() -> sa.ColumnElement[bool]:
    # PostgreSQL sorts NaN after infinity, SQLite stores it as NULL and sorts text after numbers.
    value = tables.metrics.c.value
    return sa.and_(value < math.inf, value > -math.inf)
