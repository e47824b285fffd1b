"""Cancelling, pausing, resuming, changing and deleting jobs."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Security
from fastapi.concurrency import run_in_threadpool

from api.deps import OwnJobId, PrincipalDep, ServicesDep, right
from api.http.requests import json_body
from api.http.responses import json_response
from api.http.schemas import ETAG
from api.jobs import changes, service
from api.jobs.responses import job_response
from api.jobs.schemas import DeletedJob, Job, UnreadableJob
from api.openapi import PATCH_BODY

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])


@router.patch(
    "/{job_id}",
    dependencies=[Security(right("jobs:write"))],
    summary="Change a job",
    openapi_extra=PATCH_BODY,
    responses={200: {"model": Job, **ETAG}},
)
async def update_job(
    job_id: OwnJobId,
    request: Request,
    services: ServicesDep,
    principal: PrincipalDep,
    if_match: Annotated[str | None, Header()] = None,
) -> Any:
    """Change some fields of a job with a JSON merge patch (RFC 7396).

    The fields are priority, tags, notes, max_runtime_seconds and allow_inexact. A running job
    learns its new time limit within a second. Of a job that has ended, only tags and notes can be
    changed. With `If-Match`, a job that has changed since that ETag is a 412; heartbeats and the
    queue position do not count.
    """
    body = await json_body(request, *changes.MEDIA_TYPES)
    await run_in_threadpool(changes.change, services, principal, job_id, body, if_match)
    return await run_in_threadpool(job_response, services, job_id, status=200)


@router.post(
    "/{job_id}/cancel",
    dependencies=[Security(right("jobs:write"))],
    status_code=202,
    summary="Cancel a job",
    responses={202: {"model": Job | UnreadableJob}},
)
def cancel_job(job_id: OwnJobId, services: ServicesDep, principal: PrincipalDep) -> Any:
    """Request that a job ends; repeating the request has no further effect.

    The state becomes `cancelled` once the process has ended and its memory is free.
    """
    service.cancel(services, principal, job_id)
    return job_response(services, job_id)


@router.post(
    "/{job_id}/pause",
    dependencies=[Security(right("jobs:write"))],
    status_code=202,
    summary="Pause a job",
    responses={202: {"model": Job | UnreadableJob}},
)
def pause_job(job_id: OwnJobId, services: ServicesDep, principal: PrincipalDep) -> Any:
    """Request that a job stops and waits; repeating the request has no further effect.

    A running job writes a checkpoint first. Its state becomes `paused` once its process has ended
    and its memory is free. If the job ends before it stops, it does not become `paused`.
    """
    service.pause(services, principal, job_id)
    return job_response(services, job_id)


@router.post(
    "/{job_id}/resume",
    dependencies=[Security(right("jobs:write"))],
    status_code=202,
    summary="Resume a paused job",
    responses={202: {"model": Job | UnreadableJob}},
)
def resume_job(job_id: OwnJobId, services: ServicesDep, principal: PrincipalDep) -> Any:
    """Queue a paused job, which continues where it stopped.

    A job that is still pausing trains on. For a job that is not paused this has no effect.
    """
    service.resume(services, principal, job_id)
    return job_response(services, job_id)


@router.delete(
    "/{job_id}",
    dependencies=[Security(right("jobs:write"))],
    summary="Delete a job",
    responses={200: {"model": DeletedJob}},
)
def delete_job(job_id: OwnJobId, services: ServicesDep, principal: PrincipalDep) -> Any:
    """Delete a job that has ended, its analyses and all their files; return the bytes freed.

    A job that has not ended is a 409, and so is a job whose checkpoint another job needs that has
    not ended. Its run in MLflow stays.
    """
    freed = service.delete(services, principal, job_id)
    return json_response({"id": job_id, "object": "job", "deleted": True, "bytes_freed": freed})
