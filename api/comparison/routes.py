"""`GET /v1/compare` and `GET /v1/leaderboard`."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Security
from pydantic import AfterValidator, Field

from api.catalog.hints import hint
from api.catalog.metrics import metric_of
from api.comparison import left_out, service
from api.comparison.schemas import Comparison, Leaderboard, LeftOut
from api.deps import PrincipalDep, ServicesDep, right
from api.http.faults import quoted
from api.http.requests import JobIdText, Limit, Text, check_cursor, id_pattern
from api.http.responses import json_response
from shared.catalog import METRICS
from shared.catalog import load as load_catalog
from shared.ids import LENGTH, is_id

MIN_JOBS, MAX_JOBS = 2, 10
CATALOG = load_catalog()

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


def _check_metric(name: str) -> str:
    declared = metric_of(CATALOG, name)
    if declared is None:
        suggestion = hint(name, CATALOG[METRICS])
        raise ValueError(f"it is {quoted(name)}, which is no metric. {suggestion}")
    if declared["direction"] is None:
        detail = f"it is {quoted(name)}, of which neither higher nor lower values are better"
        raise ValueError(detail)
    return name


Dataset = Annotated[
    Text, Query(max_length=100, description="A name, or name@version for one version")
]
Metric = Annotated[
    Text,
    Query(max_length=64, description="By default val_accuracy, or val_loss where no job has it"),
    AfterValidator(_check_metric),
]


@router.get(
    "/compare",
    dependencies=[Security(right("jobs:read"))],
    summary="Compare jobs",
    responses={200: {"model": Comparison}},
)
def compare_jobs(services: ServicesDep, principal: PrincipalDep, jobs: JobIds) -> Any:
    """Return what the filled specifications of jobs differ in, and their metrics side by side.

    Each metric has the final and the best value of each job, by the metric's direction.
    """
    return json_response(service.compare(services, principal, _ids(jobs)))


@router.get(
    "/leaderboard",
    dependencies=[Security(right("jobs:read"))],
    summary="List the best jobs on a data set",
    responses={200: {"model": Leaderboard}},
)
def list_leaderboard(
    services: ServicesDep,
    principal: PrincipalDep,
    dataset: Dataset,
    metric: Metric | None = None,
    limit: Limit = 20,
    after: JobIdText | None = None,
) -> Any:
    """Return the jobs on a data set that have not failed, by their best value of a metric.

    Test metrics are shown and do not rank, unless `metric` names one. `after` is the `job` of the
    last entry of the page before.
    """
    check_cursor(after, "job")
    page = service.list_best(
        services, principal, dataset=dataset, metric=metric, limit=limit, after=after
    )
    return json_response(page)


@router.get(
    "/leaderboard/left-out",
    dependencies=[Security(right("jobs:read"))],
    summary="List the jobs without a rank on a data set",
    responses={200: {"model": LeftOut}},
)
def list_left_out(
    services: ServicesDep,
    principal: PrincipalDep,
    dataset: Dataset,
    metric: Metric | None = None,
    limit: Limit = 20,
    after: JobIdText | None = None,
) -> Any:
    """Return the jobs that the leaderboard leaves out, and why, newest first.

    They have failed, or have no finite value of the metric. `after` is the `job` of the last entry
    of the page before.
    """
    check_cursor(after, "job")
    page = left_out.list_left_out(
        services, principal, dataset=dataset, metric=metric, limit=limit, after=after
    )
    return json_response(page)
