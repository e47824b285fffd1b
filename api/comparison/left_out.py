"""The jobs on a data set that a leaderboard does not rank, and why."""

from typing import Any

from api.comparison.ranking import architecture_of, rank
from api.datasets import lookup
from api.http.responses import list_page
from api.jobs.lookup import find_job
from api.services.container import Services
from api.services.principal import Principal
from shared.clock import rfc3339
from shared.datasets import FACTS
from shared.errors import BadRequest
from shared.jobs.ending import ending
from shared.jobs.partial_rows import UnreadableJobRow
from shared.jobs.rows import JobRow


def list_left_out(
    services: Services,
    principal: Principal,
    *,
    dataset: str,
    metric: str | None,
    limit: int,
    after: str | None,
) -> dict[str, Any]:
    """Return a page of the jobs without a rank, newest first.

    Args:
        services: of the application.
        principal: who reads it; only jobs that they may read are listed.
        dataset: a name, or name@version for one version.
        metric: of the leaderboard; None for the default.
        limit: of the entries.
        after: the job of the last entry of the page before.

    Raises:
        NotFound: there is no such data set.
        BadRequest: `after` is not on this list.
    """
    with services.database.read() as connection:
        declared, ranking = rank(services, connection, dataset, metric, principal.only_owner)
        reasons = dict.fromkeys(ranking.failed, "failed")
        reasons |= dict.fromkeys(ranking.without_value, "no_value")
        ids = sorted(reasons, reverse=True)
        if after is not None and after not in reasons:
            raise BadRequest(f"`after` is {after}, which is not on this list.")
        start = 0 if after is None else ids.index(after) + 1
        rows = [find_job(connection, job_id) for job_id in ids[start : start + limit]]
    if not ids and dataset not in FACTS:
        lookup.find(services, principal, dataset)
    services.quarantine.report(rows)
    entries = [
        _entry_json(row, reasons[row.id]) for row in rows if not isinstance(row, UnreadableJobRow)
    ]
    return {**list_page(entries, has_more=start + limit < len(ids)), "metric": declared}


def _entry_json(row: JobRow, reason: str) -> dict[str, Any]:
    return {
        "object": "left_out_job",
        "job": row.id,
        "name": row.name,
        "owner": row.owner,
        "state": row.state,
        "dataset": row.dataset,
        "architecture": architecture_of(row),
        "created_at": rfc3339(row.created_at),
        "reason": reason,
        "ending": ending(row.state, result=row.result, failure=row.failure, progress=row.progress),
    }
