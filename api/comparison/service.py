"""Which jobs are compared and ranked, and by what."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from api.catalog.metrics import metric_of
from api.comparison.differences import differences
from api.comparison.metrics import compared_metrics
from api.datasets import lookup
from api.http.responses import list_page
from api.jobs.lookup import find_job, find_visible_job
from api.services.container import Services
from api.services.principal import Principal
from shared.clock import rfc3339
from shared.datasets import FACTS
from shared.errors import BadRequest, Conflict
from shared.jobs.best_values import Ranked, best_of, rank_jobs
from shared.jobs.extremes import Extreme, list_extremes
from shared.jobs.partial_rows import UnreadableJobRow
from shared.jobs.rows import JobRow

#: What ranks jobs if the request names no metric: the first that a job on the data set has.
DEFAULT_METRICS = ("val_accuracy", "val_loss")


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
        metric: with a direction; None for the first of `DEFAULT_METRICS` that a job has.
        limit: of the entries.
        after: the job of the last entry of the page before.

    Raises:
        NotFound: there is no such data set.
        BadRequest: `after` is not on the leaderboard.
    """
    with services.database.read() as connection:
        declared, ranked = _rank(services, connection, dataset, metric, principal.only_owner)
        places = {each.job_id: place for place, each in enumerate(ranked)}
        if after is not None and after not in places:
            raise BadRequest(f"`after` is {after}, which is not on this leaderboard.")
        start = 0 if after is None else places[after] + 1
        listed = ranked[start : start + limit]
        ids = [each.job_id for each in listed]
        rows = [find_job(connection, job_id) for job_id in ids]
        extremes = list_extremes(connection, ids, name=declared["name"])
    if not ranked and dataset not in FACTS:
        lookup.find(services, principal, dataset)
    services.quarantine.report(rows)
    entries, specs = [], {}
    for (_, rank), row in zip(listed, rows, strict=True):
        of_job = [extreme for extreme in extremes if extreme.job_id == row.id]
        best = best_of(of_job, declared["direction"])
        if best is not None and not isinstance(row, UnreadableJobRow):
            entries.append(_entry_json(rank, row, best))
            specs[row.id] = row.spec
    page = list_page(entries, has_more=start + limit < len(ranked))
    return {**page, "metric": declared, "differences": differences(specs)}


def _rank(
    services: Services,
    connection: sa.Connection,
    dataset: str,
    metric: str | None,
    only_owner: str | None,
) -> tuple[dict[str, Any], list[Ranked]]:
    """Return the declaration of the metric that ranks, and the jobs in their order."""
    found: list[tuple[dict[str, Any], list[Ranked]]] = []
    for name in DEFAULT_METRICS if metric is None else (metric,):
        declared = _declaration(services, name)
        direction = declared["direction"]
        ranked = rank_jobs(
            connection, dataset=dataset, metric=name, direction=direction, only_owner=only_owner
        )
        if ranked:
            return declared, ranked
        found.append((declared, ranked))
    return found[0]


def _declaration(services: Services, name: str) -> dict[str, Any]:
    declared = metric_of(services.methods.catalog, name) or {}
    return {
        "name": name,
        **{field: declared.get(field) for field in ("split", "unit", "direction")},
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
        "created_at": rfc3339(row.created_at),
        "finished_at": rfc3339(row.finished_at),
    }


def _entry_json(rank: int, row: JobRow, best: Extreme) -> dict[str, Any]:
    return {
        "object": "leaderboard_entry",
        "rank": rank,
        "job": row.id,
        "name": row.name,
        "owner": row.owner,
        "state": row.state,
        "dataset": row.dataset,
        "created_at": rfc3339(row.created_at),
        "value": best.value,
        "epoch": best.epoch,
        "step": best.step,
        "test": {name: value for name, value in row.metrics.items() if name.startswith("test_")},
    }
