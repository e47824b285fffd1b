"""The best value of a metric of a job, and the jobs on a data set by it. Finite values only."""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import sqlalchemy as sa

from shared import tables
from shared.jobs.analyses import is_training
from shared.jobs.extremes import Extreme, is_finite
from shared.jobs.queries import is_of_dataset

Direction = Literal["higher", "lower"]


class Ranked(NamedTuple):
    """A job on a leaderboard; jobs with equal values have the same rank."""

    job_id: str
    rank: int


class Ranking(NamedTuple):
    """The jobs on a data set: with a rank, and without."""

    ranked: list[Ranked]
    failed: list[str]
    #: They have no finite value of the metric.
    without_value: list[str]


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
) -> Ranking:
    """Return the jobs on a data set by their best value of a metric; failed jobs have no rank.

    `only_owner` is the only person whose jobs the caller may read; None for all. Of jobs with equal
    values the oldest comes first; the next value has the rank that it would have without a tie.
    """
    metrics, jobs, kept = tables.metrics.c, tables.jobs.c, tables.extremes.c
    is_higher = direction == "higher"
    best = sa.func.max(metrics.value) if is_higher else sa.func.min(metrics.value)
    of_job = (metrics.job_id == jobs.id, metrics.name == metric, is_finite(metrics.value))
    # The values of a job are read only where its extremes are not kept.
    recorded = sa.select(best).where(*of_job).scalar_subquery()
    value = sa.func.coalesce(kept.highest if is_higher else kept.lowest, recorded)
    is_kept = sa.and_(kept.job_id == jobs.id, kept.name == metric)
    is_failed = jobs.state == "failed"
    query = (
        sa.select(jobs.id, is_failed, sa.case((is_failed, sa.null()), else_=value))
        .select_from(tables.jobs.outerjoin(tables.extremes, is_kept))
        .where(is_of_dataset(dataset), is_training())
        .where(sa.true() if only_owner is None else jobs.owner == only_owner)
    )
    # Ordered here: PostgreSQL would run the subquery again for each mention of its value.
    found, failed, without_value = list[tuple[float, str]](), list[str](), list[str]()
    for job_id, has_failed, value in connection.execute(query):
        if not isinstance(job_id, str):
            continue
        if has_failed:
            failed.append(job_id)
        elif isinstance(value, float) and math.isfinite(value):
            found.append((-value if is_higher else value, job_id))
        else:
            without_value.append(job_id)
    ranked, previous = list[Ranked](), None
    for place, (value, job_id) in enumerate(sorted(found), start=1):
        ranked.append(Ranked(job_id, ranked[-1].rank if value == previous else place))
        previous = value
    return Ranking(ranked, failed, without_value)
