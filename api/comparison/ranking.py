"""How the jobs on a data set are ranked, and what both lists of a leaderboard say of a job."""

from typing import Any

import sqlalchemy as sa

from api.catalog.metrics import metric_of
from api.services.container import Services
from shared.jobs.best_values import Ranking, rank_jobs
from shared.jobs.rows import JobRow

#: What ranks jobs if the request names no metric: the first that a job on the data set has.
DEFAULT_METRICS = ("val_accuracy", "val_loss")


def rank(
    services: Services,
    connection: sa.Connection,
    dataset: str,
    metric: str | None,
    only_owner: str | None,
) -> tuple[dict[str, Any], Ranking]:
    """Return the declaration of the metric that ranks, and the jobs on the data set."""
    found: list[tuple[dict[str, Any], Ranking]] = []
    for name in DEFAULT_METRICS if metric is None else (metric,):
        declared = _declaration(services, name)
        direction = declared["direction"]
        ranking = rank_jobs(
            connection, dataset=dataset, metric=name, direction=direction, only_owner=only_owner
        )
        if ranking.ranked:
            return declared, ranking
        found.append((declared, ranking))
    return found[0]


def architecture_of(row: JobRow) -> str | None:
    """Return the name of the network of a job."""
    name = (row.spec.get("architecture") or {}).get("name")
    return name if isinstance(name, str) else None


def _declaration(services: Services, name: str) -> dict[str, Any]:
    declared = metric_of(services.methods.catalog, name) or {}
    return {
        "name": name,
        **{field: declared.get(field) for field in ("split", "unit", "direction")},
    }
