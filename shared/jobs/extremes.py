"""The lowest and the highest value of each metric of a job. Finite values only.

They are kept at the end of a job, when its values do not change any more.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa

from shared import tables


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
    kept = _list_kept(connection, job_ids, name)
    others = [job_id for job_id in job_ids if job_id not in kept]
    found = _list_recorded(connection, others, name) if others else []
    return [*(extreme for extremes in kept.values() for extreme in extremes), *found]


def keep_extremes(connection: sa.Connection, job_id: str) -> None:
    """Keep the extremes of a job that ends, so that its values need not be read for them.

    Args:
        connection: in a transaction.
        job_id: of the job.
    """
    recorded = _list_recorded(connection, [job_id], None)
    if not all(map(_is_readable, recorded)):
        return  # a job with damaged values ends too
    by_name = defaultdict[str, list[Extreme]](list)
    for extreme in recorded:
        by_name[extreme.name].append(extreme)
    rows = []
    for name, of_metric in by_name.items():
        lowest = min(of_metric, key=lambda each: each.value)
        highest = max(of_metric, key=lambda each: each.value)
        row = {"job_id": job_id, "name": name}
        row |= {"lowest": lowest.value, "highest": highest.value}
        row |= {"lowest_step": lowest.step, "highest_step": highest.step}
        row |= {"lowest_epoch": lowest.epoch, "highest_epoch": highest.epoch}
        rows.append(row)
    if rows:
        connection.execute(sa.insert(tables.extremes), rows)


def is_finite(value: sa.ColumnElement[float]) -> sa.ColumnElement[bool]:
    """Return the condition for a number."""
    # PostgreSQL sorts NaN after infinity, SQLite stores it as NULL and sorts text after numbers.
    return sa.and_(value < math.inf, value > -math.inf)


def _list_kept(
    connection: sa.Connection, job_ids: Sequence[str], name: str | None
) -> dict[str, list[Extreme]]:
    """Return the kept extremes by job, of jobs that have some and all of them readable."""
    table = tables.extremes
    query = sa.select(table).where(table.c.job_id.in_(job_ids))
    if name is not None:
        query = query.where(table.c.name == name)
    found, damaged = defaultdict[str, list[Extreme]](list), set[str]()
    for row in connection.execute(query):
        lowest = Extreme(row.job_id, row.name, row.lowest, row.lowest_step, row.lowest_epoch)
        highest = Extreme(row.job_id, row.name, row.highest, row.highest_step, row.highest_epoch)
        found[row.job_id] += [lowest] if lowest.value == highest.value else [lowest, highest]
        if not (_is_readable(lowest) and _is_readable(highest)):
            damaged.add(row.job_id)
    return {job_id: extremes for job_id, extremes in found.items() if job_id not in damaged}


def _is_readable(extreme: Extreme) -> bool:
    types = [type(each) for each in extreme[1:]]
    return types == [str, float, int, int] and math.isfinite(extreme.value)


def _list_recorded(
    connection: sa.Connection, job_ids: Sequence[str], name: str | None
) -> list[Extreme]:
    """Return the extremes of all recorded values."""
    column = tables.metrics.c
    conditions = [column.job_id.in_(job_ids), is_finite(column.value)]
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
