"""Submitting, reading, retrying and forking jobs."""

from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request, Response, Security
from fastapi.concurrency import run_in_threadpool

from api.deps import JobId, PrincipalDep, ServicesDep, right
from api.http.requests import (
    IdempotencyKey,
    JobIdText,
    Limit,
    Text,
    check_cursor,
    check_idempotency_key,
    json_body,
    media_type,
)
from api.http.responses import json_response, list_page, matches_etag
from api.http.schemas import ETAG, LOCATION, NOT_MODIFIED, list_of
from api.jobs import rendering, service
from api.jobs.fork_schemas import FORK_BODY, JSON_PATCH
from api.jobs.polls import name_of_list
from api.jobs.responses import (
    read_attempts,
    read_with_position,
    submitted_response,
)
from api.jobs.schemas import Job, UnreadableJob, Validation
from api.openapi import SPEC_BODY
from api.services.change_watcher import Change, Version
from api.services.container import Services
from api.services.principal import Principal
from shared.jobs import queries
from shared.jobs.partial_rows import UnreadableJobRow
from shared.jobs.rows import JobRow
from shared.states import FINAL, State

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

MAX_WAIT_SECONDS = 60
#: An address that looks like a job's.
VALIDATE = ("POST", "/v1/jobs/validate")


@router.post(
    "",
    dependencies=[Security(right("jobs:write"))],
    status_code=202,
    summary="Submit a job",
    openapi_extra=SPEC_BODY,
    responses={202: {"model": Job, **LOCATION}},
)
async def submit_job(
    request: Request,
    services: ServicesDep,
    principal: PrincipalDep,
    idempotency_key: IdempotencyKey = None,
) -> Any:
    """Check a specification and return the new job once it is stored.

    The same `Idempotency-Key` and body return the same job.
    """
    check_idempotency_key(idempotency_key)
    body = await json_body(request)
    return await services.sidecar.in_thread(_submit, services, principal, body, idempotency_key)


def _submit(services: Services, principal: Principal, body: bytes, key: str | None) -> Response:
    """Submit a job and render it in the same thread: each change of thread takes time."""
    return submitted_response(services, service.create(services, principal, body, key))


@router.post(
    "/validate",
    dependencies=[Security(right("jobs:write"))],
    summary="Check a specification",
    openapi_extra=SPEC_BODY,
    responses={200: {"model": Validation}},
)
async def validate_spec(request: Request, services: ServicesDep, principal: PrincipalDep) -> Any:
    """Check a specification without submitting a job.

    Returns the specification with all defaults, the parameter count, the estimated memory and
    time, and the position in the queue.
    """
    body = await json_body(request)
    return json_response(
        await services.sidecar.in_thread(service.validate, services, principal, body)
    )


@router.get(
    "",
    dependencies=[Security(right("jobs:read"))],
    summary="List the jobs",
    responses={200: {"model": list_of(Job, UnreadableJob)}},
)
def list_jobs(
    request: Request,
    services: ServicesDep,
    principal: PrincipalDep,
    limit: Limit = 20,
    kind: Annotated[
        Literal["training", "verification"],
        Query(description="A verification checks a patch of a finding"),
    ] = "training",
    after: JobIdText | None = None,
    state: State | None = None,
    owner: Annotated[Text | None, Query(max_length=64)] = None,
    tag: Annotated[
        Text | None, Query(max_length=600, description="key, key:value or key=value")
    ] = None,
    dataset: Annotated[Text | None, Query(max_length=100)] = None,
    sweep: Annotated[Text | None, Query(max_length=40)] = None,
    named: Annotated[
        Text | None,
        Query(max_length=200, description="The name of an own job, or the beginning of an id"),
    ] = None,
) -> Any:
    """Return the jobs, newest first. `after` is the id of the last job of the page before."""
    check_cursor(after, "job")
    version = services.responses.version.current()
    with services.database.read() as connection:
        rows = queries.list_jobs(
            connection,
            limit=limit + 1,
            kind=kind,
            only_owner=principal.only_owner,
            after=after,
            state=state,
            owner=owner,
            dataset=dataset,
            sweep=sweep,
            tag=tag,
            named=named,
            named_by=principal.name,
        )
    services.quarantine.report(rows)
    queued = [row.id for row in rows[:limit] if row.state == "queued"]
    positions = services.queue_order.positions(queued) if queued else {}
    page = [rendering.job_json(row, queue_position=positions.get(row.id)) for row in rows[:limit]]
    response = json_response(list_page(page, has_more=len(rows) > limit))
    name = name_of_list(request.scope["query_string"], principal)
    if name is not None and not any(isinstance(row, UnreadableJobRow) for row in rows):
        is_queued = any(row.state == "queued" for row in rows)
        services.responses.put(name, response, version, is_queued=is_queued)
    return response


@router.get(
    "/{job_id}",
    dependencies=[Security(right("jobs:read"))],
    summary="Get a job, or wait until it changes",
    responses={200: {"model": Job | UnreadableJob, **ETAG}, **NOT_MODIFIED},
)
async def get_job(
    job_id: JobId,
    services: ServicesDep,
    principal: PrincipalDep,
    wait: Annotated[
        float, Query(ge=0, le=MAX_WAIT_SECONDS, description="The longest wait in seconds")
    ] = 0,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Return a job, or 304 if `If-None-Match` names its current version.

    With `wait`, the response comes at the next change or at the end of the wait: with
    `If-None-Match` at any change, also of the queue position; without it at a change of `state` or
    `phase`. A key that ended during the wait, or another role of its person, is a 401.
    """
    version = services.responses.version.current()
    row, queue_position = await run_in_threadpool(read_with_position, services, job_id)
    etag = rendering.etag(row, queue_position)
    is_current = if_none_match is None or matches_etag(if_none_match, etag)
    if wait and is_current and row.state not in FINAL:
        version = Version.of(row, queue_position)
        if isinstance(row, UnreadableJobRow):
            version = await run_in_threadpool(services.watcher.read_version, job_id) or version
        await services.watcher.wait_for_change(
            job_id,
            version,
            timeout_seconds=wait,
            change=Change.STATE if if_none_match is None else Change.ANY,
        )
        await services.authenticator.check(principal)
        version = services.responses.version.current()
        row, queue_position = await run_in_threadpool(read_with_position, services, job_id)
        etag = rendering.etag(row, queue_position)
    headers = {"ETag": etag}
    response = Response(status_code=304, headers=headers)
    if not matches_etag(if_none_match, etag):
        response = await _whole_response(services, row, queue_position, headers)
    if not isinstance(row, UnreadableJobRow):
        is_queued = row.state == "queued"
        services.responses.put(job_id, response, version, owner=row.owner, is_queued=is_queued)
    return response


async def _whole_response(
    services: Services, row: JobRow, queue_position: int | None, headers: dict[str, str]
) -> Response:
    job_id = row.id
    attempts = await run_in_threadpool(read_attempts, services, job_id) if row.attempt else []
    job = rendering.job_json(row, queue_position=queue_position, attempts=attempts)
    return json_response(job, headers=headers)


@router.post(
    "/{job_id}/retry",
    dependencies=[Security(right("jobs:write"))],
    status_code=202,
    summary="Retry a failed or cancelled job",
    responses={202: {"model": Job, **LOCATION}},
)
def retry_job(
    job_id: JobId,
    services: ServicesDep,
    principal: PrincipalDep,
    idempotency_key: IdempotencyKey = None,
) -> Any:
    """Return a new job with `retry_of`, which continues from the last checkpoint if there is one.

    The same `Idempotency-Key` returns the same job. Without a key, a retry of the job that has not
    finished is returned again.
    """
    check_idempotency_key(idempotency_key)
    submitted = service.retry(services, principal, job_id, idempotency_key)
    return submitted_response(services, submitted)


@router.post(
    "/{job_id}/fork",
    dependencies=[Security(right("jobs:write"))],
    status_code=202,
    summary="Submit a job's specification with changes",
    openapi_extra=FORK_BODY,
    responses={202: {"model": Job, **LOCATION}},
)
async def fork_job(
    job_id: JobId,
    request: Request,
    services: ServicesDep,
    principal: PrincipalDep,
    idempotency_key: IdempotencyKey = None,
) -> Any:
    """Return a new job with `forked_from`: the filled specification with a JSON Patch (RFC 6902).

    The patch is the body itself, as `application/json-patch+json`; or `patch` in an object; or that
    of a `finding`. A `test` that fails is a 409. With `from_checkpoint`, the new job continues from
    this checkpoint of the job. The same `Idempotency-Key` and body return the same job.
    """
    check_idempotency_key(idempotency_key)
    is_bare = media_type(request) == JSON_PATCH
    body = await (request.body() if is_bare else json_body(request))
    submitted = await services.sidecar.in_thread(
        partial(service.fork, is_bare=is_bare),
        services,
        principal,
        job_id,
        body,
        idempotency_key,
    )
    return await run_in_threadpool(submitted_response, services, submitted)
