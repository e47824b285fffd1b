"""`GET /v1/compare` and `GET /v1/leaderboard`."""

from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Query
from pydantic import AfterValidator, Field

from api.catalog.hints import hint
from api.catalog.metrics import metric_of
from api.comparison.differences import differences
from api.comparison.metrics import compared_metrics
from api.comparison.schemas import Comparison, Leaderboard
from api.datasets import lookup
from api.deps import ServicesDep
from api.http.faults import quoted
from api.http.requests import JobIdText, Limit, Text, check_cursor, id_pattern
from api.http.responses import json_response, list_page
from api.jobs.lookup import find_job
from shared.catalog import METRICS, Catalog
from shared.clock import rfc3339
from shared.datasets import FACTS
from shared.errors import BadRequest, Conflict, Fault, InvalidSpec
from shared.ids import LENGTH, is_id
from shared.jobs.best_values import Direction, Extreme, best_of, list_extremes, rank_jobs
from shared.jobs.partial_rows import UnreadableJobRow
from shared.jobs.rows import JobRow

MIN_JOBS, MAX_JOBS = 2, 10
#: What ranks jobs if the request names no metric: the first that a job on the data set has.
DEFAULT_METRICS = ("val_accuracy", "val_loss")

router = APIRouter(prefix="/v1", tags=["comparison"])


def _check_ids(text: str) -> str:
    ids = _ids(text)
    wrong = next((each for each in ids if not is_id("job", each)), None)
    if wrong is not None:
        raise ValueError(f"{quoted(wrong)} is no id of a job: job_ and {LENGTH} characters")
    twice = next((each for each in ids if ids.count(each) > 1), None)
    if twice is not None:
        raise ValueError(f"it names {twice} twice")
    if not MIN_JOBS <= len(ids) <= MAX_JOBS:
        raise ValueError(f"it names {len(ids)} job(s); name {MIN_JOBS} to {MAX_JOBS}")
    return text


def _ids(text: str) -> list[str]:
    return [each.strip() for each in text.split(",")]


_ID = id_pattern("job").strip("^$")
JobIds = Annotated[
    str,
    Query(max_length=1000, description="2 to 10 ids of jobs, separated by commas"),
    AfterValidator(_check_ids),
    Field(json_schema_extra={"pattern": f"^{_ID}(,{_ID}){{{MIN_JOBS - 1},{MAX_JOBS - 1}}}$"}),
]


@router.get("/compare", summary="Compare jobs", responses={200: {"model": Comparison}})
def compare_jobs(services: ServicesDep, jobs: JobIds) -> Any:
    """Return what the filled specifications of jobs differ in, and their metrics side by side.

    Each metric has the final and the best value of each job, by the metric's direction.
    """
    ids = _ids(jobs)
    with services.database.read() as connection:
        rows = [_find_readable(connection, job_id) for job_id in ids]
        extremes = list_extremes(connection, ids)
    return json_response(
        {
            "object": "comparison",
            "jobs": [_job_json(row) for row in rows],
            "differences": differences({row.id: row.spec for row in rows}),
            "metrics": compared_metrics(services.methods.catalog, rows, extremes),
        }
    )


@router.get(
    "/leaderboard",
    summary="List the best jobs on a data set",
    responses={200: {"model": Leaderboard}},
)
def list_leaderboard(
    services: ServicesDep,
    dataset: Annotated[
        Text, Query(max_length=100, description="A name, or name@version for one version")
    ],
    metric: Annotated[
        Text | None,
        Query(
            max_length=64, description="By default val_accuracy, or val_loss where no job has it"
        ),
    ] = None,
    limit: Limit = 20,
    after: JobIdText | None = None,
) -> Any:
    """Return the jobs on a data set, the best first by their best value of a metric.

    Test metrics are shown and do not rank, unless `metric` names one. `after` is the `job` of the
    last entry of the page before.
    """
    check_cursor(after, "job")
    catalog = services.methods.catalog
    with services.database.read() as connection:
        name, ranked = _rank(connection, catalog, dataset, metric)
        if after is not None and after not in ranked:
            raise BadRequest(f"`after` is {after}, which is not on this leaderboard.")
        start = 0 if after is None else ranked.index(after) + 1
        ids = ranked[start : start + limit]
        rows = [find_job(connection, job_id) for job_id in ids]
        extremes = list_extremes(connection, ids, name=name)
    if not ranked and dataset not in FACTS:
        lookup.find(services, dataset)
    services.quarantine.report(rows)
    declared = metric_of(catalog, name) or {}
    page, specs = [], {}
    for rank, row in enumerate(rows, start=start + 1):
        of_job = [extreme for extreme in extremes if extreme.job_id == row.id]
        best = best_of(of_job, declared["direction"])
        if best is not None and not isinstance(row, UnreadableJobRow):
            page.append(_entry_json(rank, row, best))
            specs[row.id] = row.spec
    response = list_page(page, has_more=start + limit < len(ranked))
    response["metric"] = {
        "name": name,
        **{field: declared[field] for field in ("split", "unit", "direction")},
    }
    response["differences"] = differences(specs)
    return json_response(response)


def _rank(
    connection: sa.Connection, catalog: Catalog, dataset: str, metric: str | None
) -> tuple[str, list[str]]:
    """Return the metric that ranks, and the ids of the jobs in their order.

    Raises:
        InvalidSpec: the metric is unknown, or neither high nor low values of it are better.
    """
    names = DEFAULT_METRICS if metric is None else (metric,)
    for name in names:
        direction = _direction(catalog, name)
        ranked = rank_jobs(connection, dataset=dataset, metric=name, direction=direction)
        if ranked:
            return name, ranked
    return names[0], []


def _direction(catalog: Catalog, name: str) -> Direction:
    """Return which values of a metric are better.

    Raises:
        InvalidSpec: the metric is unknown, or neither are.
    """
    declared = metric_of(catalog, name)
    if declared is None:
        detail = f"it is {quoted(name)}, which is no metric. {hint(name, catalog[METRICS])}"
    elif declared["direction"] is None:
        detail = f"it is {quoted(name)}, of which neither higher nor lower values are better"
    else:
        return declared["direction"]
    raise InvalidSpec([Fault("/query/metric", detail)], subject="request")


def _find_readable(connection: sa.Connection, job_id: str) -> JobRow:
    row = find_job(connection, job_id)
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
