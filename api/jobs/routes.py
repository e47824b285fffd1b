"""Submitting jobs, looking at them, ending and repeating them."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from api.deps import CallerDep, JobId, ServicesDep
from api.http.requests import IdempotencyKey, Text, check_cursor, check_key, json_body
from api.http.responses import is_known, json_answer, list_of
from api.http.schemas import ETAG, LOCATION, NOT_CHANGED, ListOf
from api.jobs import rendering, service
from api.jobs.schemas import Job, Validation
from api.openapi import SPEC_BODY
from api.services import Services
from api.services.change_watcher import ANYTHING, STATE, Version
from shared.errors import NotFound
from shared.jobs import queries
from shared.jobs.rows import AttemptRow, JobRow
from shared.states import FINAL, State

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

LONGEST_WAIT_SECONDS = 60


@router.post(
    "",
    status_code=202,
    summary="Submit a job",
    openapi_extra=SPEC_BODY,
    responses={202: {"model": Job, **LOCATION}},
)
async def create(
    request: Request,
    services: ServicesDep,
    caller: CallerDep,
    idempotency_key: IdempotencyKey = None,
) -> Any:
    """The job, once it is durable. The same `Idempotency-Key` and body give the same job."""
    check_key(idempotency_key)
    body = await json_body(request)
    job_id = await services.sidecar.in_thread(
        service.create, services, caller.name, body, idempotency_key
    )
    return await run_in_threadpool(_accepted, services, job_id)


@router.post(
    "/validate",
    summary="Check a specification without a job",
    openapi_extra=SPEC_BODY,
    responses={200: {"model": Validation}},
)
async def validate(request: Request, services: ServicesDep) -> Any:
    """Every default filled in, parameter count, predicted memory and time, place in the queue."""
    body = await json_body(request)
    return json_answer(await services.sidecar.in_thread(service.validate, services, body))


@router.get("", summary="The jobs, newest first", responses={200: {"model": ListOf[Job]}})
def index(
    services: ServicesDep,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Annotated[str | None, Query(max_length=40)] = None,
    state: State | None = None,
    owner: Annotated[Text | None, Query(max_length=64)] = None,
    tag: Annotated[Text | None, Query(max_length=600, description="key or key:value")] = None,
    dataset: Annotated[Text | None, Query(max_length=100)] = None,
    sweep: Annotated[Text | None, Query(max_length=40)] = None,
) -> Any:
    """`after` is the id of the last job of the page before."""
    check_cursor(after, "job")
    with services.database.read() as connection:
        rows = queries.list_jobs(
            connection,
            limit=limit + 1,
            after=after,
            state=state,
            owner=owner,
            dataset=dataset,
            sweep=sweep,
            tag=tag,
        )
    shown = [rendering.job(row, position=_position(services, row)) for row in rows[:limit]]
    return json_answer(list_of(shown, has_more=len(rows) > limit))


@router.get(
    "/{job_id}",
    summary="One job; `wait` answers at the next change or in time",
    responses={200: {"model": Job, **ETAG}, **NOT_CHANGED},
)
async def show(
    job_id: JobId,
    services: ServicesDep,
    wait: Annotated[float, Query(ge=0, le=LONGEST_WAIT_SECONDS)] = 0,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """304 where `If-None-Match` names what it is now.

    With it, `wait` ends at any change, of the place in the queue too; without it at a change of
    `state` or `phase`.
    """
    row, position = await run_in_threadpool(_read, services, job_id)
    etag = rendering.etag(row, position)
    is_awaited = if_none_match is None or is_known(if_none_match, etag)
    if wait and is_awaited and row.state not in FINAL:
        await services.watcher.changed(
            job_id,
            Version.of(row, position),
            timeout_seconds=wait,
            parts=STATE if if_none_match is None else ANYTHING,
        )
        row, position = await run_in_threadpool(_read, services, job_id)
        etag = rendering.etag(row, position)
    headers = {"ETag": etag}
    if is_known(if_none_match, etag):
        return Response(status_code=304, headers=headers)
    attempts = await run_in_threadpool(_attempts, services, job_id) if row.attempt else []
    return json_answer(rendering.job(row, position=position, attempts=attempts), headers=headers)


@router.post(
    "/{job_id}/cancel", status_code=202, summary="End a job", responses={202: {"model": Job}}
)
def cancel(job_id: JobId, services: ServicesDep) -> Any:
    """Idempotent. The job is `cancelled` once its process is gone and its memory free."""
    service.cancel(services, job_id)
    return _accepted(services, job_id)


@router.post(
    "/{job_id}/retry",
    status_code=202,
    summary="Repeat a failed or cancelled job",
    responses={202: {"model": Job, **LOCATION}},
)
def retry(
    job_id: JobId,
    services: ServicesDep,
    caller: CallerDep,
    idempotency_key: IdempotencyKey = None,
) -> Any:
    """A new job with `retry_of`, going on from the last checkpoint where there is one.

    The same `Idempotency-Key` gives the same job. Without one, a retry of the job that has not
    ended is given again.
    """
    check_key(idempotency_key)
    return _accepted(services, service.retry(services, caller.name, job_id, idempotency_key))


def _accepted(services: Services, job_id: str) -> Response:
    # Its place as it is known: a job that was made just now is not worth another reading.
    row, position = _read(services, job_id, anew=False)
    shown = rendering.job(row, position=position, attempts=_attempts(services, job_id))
    headers = {"Location": f"/v1/jobs/{job_id}", "ETag": rendering.etag(row, position)}
    return json_answer(shown, status=202, headers=headers)


def _read(services: Services, job_id: str, *, anew: bool = True) -> tuple[JobRow, int | None]:
    with services.database.read() as connection:
        row = queries.get_job(connection, job_id)
    if row is None:
        raise NotFound(f"There is no job {job_id}.")
    return row, _position(services, row, anew=anew)


def _attempts(services: Services, job_id: str) -> list[AttemptRow]:
    with services.database.read() as connection:
        return queries.list_attempts(connection, job_id)


def _position(services: Services, row: JobRow, *, anew: bool = True) -> int | None:
    if row.state != "queued":
        return None
    return services.order.position(row.id, anew=anew)
