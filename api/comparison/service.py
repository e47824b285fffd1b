"""Which jobs are compared and ranked, and by what."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from api.comparison.differences import differences
from api.comparison.metrics import compared_metrics
from api.comparison.ranking import architecture_of, rank
from api.datasets import lookup
from api.http.responses import list_page
from api.jobs.lookup import find_job, find_visible_job
from api.services.container import Services
from api.services.principal import Principal
from shared.clock import now, rfc3339
from shared.datasets import FACTS
from shared.errors import BadRequest, Conflict
from shared.jobs.best_values import best_of
from shared.jobs.extremes import Extreme, list_extremes
from shared.jobs.partial_rows import UnreadableJobRow
from shared.jobs.rows import JobRow
from shared.jobs.run_times import run_seconds


def compare(services: Services, principal: Principal, ids: Sequence[str]) -> dict[str, Any]:
    """Return what the filled specifications of jobs differ in, and their metrics.

    Raises:
        NotFound: there is no such job.
        Conflict: the record of a job cannot be read.
    """
    with services.database.read() as connection:
        rows = [_find_readable(connection, principal, job_id) for job_id in ids]
        extremes = list_extremes(connection, ids)
    return {
        "object": "comparison",
        "jobs": [_job_json(row) for row in rows],
        "differences": differences({row.id: row.spec for row in rows}),
        "metrics": compared_metrics(services.methods.catalog, rows, extremes),
    }


def list_best(
    services: Services,
    principal: Principal,
    *,
    dataset: str,
    metric: str | None,
    limit: int,
    after: str | None,
) -> dict[str, Any]:
    """Return a page of the jobs on a data set, the best first.

    Args:
        services: of the application.
        principal: who reads it; only jobs that they may read are ranked.
        dataset: a name, or name@version for one version.
        metric: with a direction; None for the first default metric that a job has.
        limit: of the entries.
        after: the job of the last entry of the page before.

    Raises:
        NotFound: there is no such data set.
        BadRequest: `after` is not on the leaderboard.
    """
    with services.database.read() as connection:
        declared, ranking = rank(services, connection, dataset, metric, principal.only_owner)
        ranked = ranking.ranked
        places = {each.job_id: place for place, each in enumerate(ranked)}
        if after is not None and after not in places:
            raise BadRequest(f"`after` is {after}, which is not on this leaderboard.")
        start = 0 if after is None else places[after] + 1
        listed = ranked[start : start + limit]
        ids = [each.job_id for each in listed]
        rows = [find_job(connection, job_id) for job_id in ids]
        extremes = list_extremes(connection, ids, name=declared["name"])
        seconds = run_seconds(connection, ids, now=now())
    left_out = {"failed": len(ranking.failed), "no_value": len(ranking.without_value)}
    if not ranked and not any(left_out.values()) and dataset not in FACTS:
        lookup.find(services, principal, dataset)
    services.quarantine.report(rows)
    entries, specs = [], {}
    for (_, number), row in zip(listed, rows, strict=True):
        of_job = [extreme for extreme in extremes if extreme.job_id == row.id]
        best = best_of(of_job, declared["direction"])
        if best is not None and not isinstance(row, UnreadableJobRow):
            entries.append(_entry_json(number, row, best, seconds.get(row.id)))
            specs[row.id] = row.spec
    page = list_page(entries, has_more=start + limit < len(ranked))
    return {
        **page,
        "metric": declared,
        "left_out": left_out,
        "differences": differences(specs),
    }


def _find_readable(connection: sa.Connection, principal: Principal, job_id: str) -> JobRow:
    row = find_visible_job(connection, principal, job_id)
    if isinstance(row, UnreadableJobRow):
        raise Conflict(f"The record of {job_id} cannot be read, so it cannot be compared.")
    return row


def _job_json(row: JobRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "owner": row.owner,
        "state": row.state,
        "dataset": row.dataset,
        "architecture": architecture_of(row),
        "created_at": rfc3339(row.created_at),
        "finished_at": rfc3339(row.finished_at),
    }


def _entry_json(rank: int, row: JobRow, best: Extreme, seconds: float | None) -> dict[str, Any]:
    return {
        "object": "leaderboard_entry",
        "rank": rank,
        "job": row.id,
        "name": row.name,
        "owner": row.owner,
        "state": row.state,
        "dataset": row.dataset,
        "architecture": architecture_of(row),
        "created_at": rfc3339(row.created_at),
        "value": best.value,
        "epoch": best.epoch,
        "step": best.step,
        "seconds": None if seconds is None else round(seconds, 3),
        "test": {name: value for name, value in row.metrics.items() if name.startswith("test_")},
    }
