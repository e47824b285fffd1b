"""`/v1/jobs/{id}/analyses` and `/v1/analyses`."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response, Security
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, PlainTextResponse

from api.analyses import service
from api.analyses.rendering import analysis_json
from api.analyses.request import SLOT
from api.analyses.schemas import Analysis
from api.catalog.hints import spelling_hint
from api.deps import JobId, PrincipalDep, ServicesDep, right
from api.http.faults import quoted
from api.http.files import file_response
from api.http.requests import (
    AnalysisIdText,
    JobIdText,
    Limit,
    Text,
    check_cursor,
    json_body,
)
from api.http.responses import json_response, list_page
from api.http.schemas import FILE, LOCATION, list_of
from api.jobs.history.logs import DEFAULT_TAIL, Attempt, Tail, log_response
from api.jobs.lookup import find_job
from api.openapi import ANALYSIS_BODY
from api.services.change_watcher import Change, Version
from api.services.container import Services
from api.services.principal import Principal
from shared.errors import Forbidden, NotFound
from shared.ids import LENGTH, is_id
from shared.jobs.analyses import PREFIX, is_analysis
from shared.jobs.rows import JobRow
from shared.states import FINAL, State

router = APIRouter(prefix="/v1", tags=["analyses"])

MAX_WAIT_SECONDS = 60


async def analysis_id(
    analysis_id: AnalysisIdText, principal: PrincipalDep, services: ServicesDep
) -> str:
    """Return the id of an analysis that may be read, from the path.

    An analysis may be read by its owner, and by people who may read the analysed job.

    Raises:
        NotFound: It does not have the form of an analysis's id, or there is no such analysis.
    """
    if not is_analysis(analysis_id):
        raise NotFound(f"There is no such analysis. Its id is {PREFIX}_ and {LENGTH} characters.")
    if not principal.reads_all:
        owners = await services.owners.find(analysis_id)
        if owners is None or not any(map(principal.may_read, owners.readers)):
            raise NotFound(f"There is no analysis {analysis_id}.")
    return analysis_id


AnalysisId = Annotated[str, Depends(analysis_id)]


async def own_analysis_id(
    analysis_id: AnalysisId, principal: PrincipalDep, services: ServicesDep
) -> str:
    """Return the id of an analysis that may be changed, from the path.

    Raises:
        Forbidden: It belongs to somebody else.
    """
    if not principal.is_admin:
        owners = await services.owners.find(analysis_id)
        if owners is not None and not principal.may_change(owners.owner):
            raise Forbidden("The analysis belongs to somebody else; only its owner can cancel it.")
    return analysis_id


OwnAnalysisId = Annotated[str, Depends(own_analysis_id)]


@router.post(
    "/jobs/{job_id}/analyses",
    dependencies=[Security(right("jobs:write"))],
    status_code=202,
    summary="Analyse a checkpoint of a job",
    openapi_extra=ANALYSIS_BODY,
    responses={
        202: {"model": Analysis, **LOCATION},
        200: {"model": Analysis, "description": "The same request was made before", **LOCATION},
    },
)
async def request_analysis(
    job_id: JobId, request: Request, services: ServicesDep, principal: PrincipalDep
) -> Any:
    """Queue an analysis, or return the earlier analysis of the same weights, kind and parameters.

    An analysis that failed or was cancelled is not returned again. The earlier analysis keeps its
    time limit, whatever `max_runtime_seconds` the request has.
    """
    body = await json_body(request)
    new_id, is_new = await services.sidecar.in_thread(
        service.create, services, principal, job_id, body
    )
    shown, _ = await run_in_threadpool(_read, services, new_id)
    location = {"Location": f"/v1/analyses/{new_id}"}
    return json_response(shown, status=202 if is_new else 200, headers=location)


@router.get(
    "/jobs/{job_id}/analyses",
    dependencies=[Security(right("jobs:read"))],
    summary="List the analyses of a job",
    responses={200: {"model": list_of(Analysis)}},
)
def list_analyses(
    job_id: JobId, services: ServicesDep, limit: Limit = 20, after: AnalysisIdText | None = None
) -> Any:
    """Return the analyses, newest first. `after` is an id."""
    check_cursor(after, PREFIX)
    with services.database.read() as connection:
        find_job(connection, job_id)
        page, has_more = service.list_page(
            services, connection, limit=limit, after=after, subject_id=job_id
        )
    return json_response(list_page(page, has_more=has_more))


@router.get(
    "/analyses",
    dependencies=[Security(right("jobs:read"))],
    summary="List the analyses of all jobs",
    responses={200: {"model": list_of(Analysis)}},
)
def list_all_analyses(
    services: ServicesDep,
    principal: PrincipalDep,
    limit: Limit = 20,
    after: AnalysisIdText | None = None,
    job: JobIdText | None = None,
    kind: Annotated[Text | None, Query(max_length=64)] = None,
    state: State | None = None,
    owner: Annotated[Text | None, Query(max_length=64)] = None,
) -> Any:
    """Return the analyses that match every filter, newest first. `after` is an id.

    Without the right to read everything: own analyses, and analyses of own jobs.
    """
    check_cursor(after, PREFIX)
    _check_filters(services, principal, job, kind)
    with services.database.read() as connection:
        page, has_more = service.list_page(
            services,
            connection,
            limit=limit,
            after=after,
            subject_id=job,
            kind=kind,
            state=state,
            owner=owner,
            only_reader=principal.only_owner,
        )
    return json_response(list_page(page, has_more=has_more))


@router.get(
    "/analyses/{analysis_id}",
    dependencies=[Security(right("jobs:read"))],
    summary="Get an analysis, or wait until its state changes",
    responses={200: {"model": Analysis}},
)
async def get_analysis(
    analysis_id: AnalysisId,
    services: ServicesDep,
    principal: PrincipalDep,
    wait: Annotated[
        float, Query(ge=0, le=MAX_WAIT_SECONDS, description="The longest wait in seconds")
    ] = 0,
) -> Any:
    """Return an analysis; with `wait` at a change of its state or the end of the wait."""
    shown, job = await run_in_threadpool(_read, services, analysis_id)
    if wait and job.state not in FINAL:
        await services.watcher.wait_for_change(
            analysis_id,
            Version.of(job, shown["queue_position"]),
            timeout_seconds=wait,
            change=Change.STATE,
        )
        await services.authenticator.check(principal)
        shown, _ = await run_in_threadpool(_read, services, analysis_id)
    return json_response(shown)


@router.post(
    "/analyses/{analysis_id}/cancel",
    dependencies=[Security(right("jobs:write"))],
    status_code=202,
    summary="Cancel an analysis",
    responses={202: {"model": Analysis}},
)
def cancel_analysis(
    analysis_id: OwnAnalysisId, services: ServicesDep, principal: PrincipalDep
) -> Any:
    """Request that an analysis ends; repeating the request has no further effect."""
    service.cancel(services, principal, analysis_id)
    return json_response(_read(services, analysis_id)[0], status=202)


@router.get(
    "/analyses/{analysis_id}/logs",
    dependencies=[Security(right("jobs:read"))],
    summary="Get the log of an analysis",
    response_class=PlainTextResponse,
)
def get_analysis_log(
    analysis_id: AnalysisId,
    services: ServicesDep,
    attempt: Attempt = None,
    tail: Tail = DEFAULT_TAIL,
) -> Response:
    """Return the end of an attempt's log, with control characters escaped."""
    with services.database.read() as connection:
        _, job, _ = service.find_analysis(connection, analysis_id)
    return log_response(services, job, attempt, tail)


@router.head(
    "/analyses/{analysis_id}/artifacts/{artifact}/download",
    dependencies=[Security(right("jobs:read"))],
    include_in_schema=False,
)
@router.get(
    "/analyses/{analysis_id}/artifacts/{artifact}/download",
    dependencies=[Security(right("jobs:read"))],
    summary="Download a file of an analysis",
    response_class=FileResponse,
    responses=FILE,
)
def download_analysis_artifact(
    analysis_id: AnalysisId, artifact: str, request: Request, services: ServicesDep
) -> Response:
    """Return a file by its name, as an attachment. Ranges and `If-None-Match` are supported."""
    with services.database.read() as connection:
        _, _, rows = service.find_analysis(connection, analysis_id)
    row = next((row for row in rows if row.name == artifact), None)
    if row is None:
        names = ", ".join(row.name for row in rows) or "none yet"
        raise NotFound(f"The analysis has no such file. Its files: {names}.")
    path = services.storage.path(row.path)
    return file_response(request, path, filename=row.name, size=row.bytes, sha256=row.sha256)


def _read(services: Services, analysis_id: str) -> tuple[dict[str, Any], JobRow]:
    with services.database.read() as connection:
        row, job, artifacts = service.find_analysis(connection, analysis_id)
    position = None
    if job.state == "queued":
        position = services.queue_order.position(job.id, allow_extra_read=False)
    return analysis_json(row, job, artifacts, queue_position=position), job


def _check_filters(
    services: Services, principal: Principal, job: str | None, kind: str | None
) -> None:
    """Check the filters that name something.

    Raises:
        NotFound: There is no such job to be seen.
        RequestValidationError: The kind is not in the catalogue.
    """
    if job is not None:
        owners = services.owners.read(job) if is_id("job", job) else None
        if owners is None or not principal.may_read(owners.owner):
            raise NotFound(f"There is no job {quoted(job)}. Leave `job` out for all analyses.")
    kinds = services.methods.catalog[SLOT]
    if kind is not None and kind not in kinds:
        text = f"{quoted(kind)} is not an analysis. {spelling_hint(kind, kinds)}"
        raise RequestValidationError([{"loc": ("query", "kind"), "msg": text}])
