"""What the rules found in a training, and the checks of patches."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Security
from fastapi.concurrency import run_in_threadpool
from pydantic import Field

from api.deps import JobId, PrincipalDep, ServicesDep, right
from api.findings import verification
from api.findings.rendering import finding_json
from api.findings.schemas import Finding
from api.http.requests import Limit, check_cursor, id_pattern, json_body
from api.http.responses import json_response, list_page
from api.http.schemas import LOCATION, list_of
from api.jobs.forks import find_finding
from api.jobs.lookup import find_job
from api.services.container import Services
from shared.errors import Forbidden, NotFound
from shared.jobs.findings import get_job_of_finding, list_findings
from shared.jobs.verifications import read_checks

router = APIRouter(prefix="/v1", tags=["findings"])

VERIFY_BODY: dict[str, Any] = {
    "requestBody": {
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {"patch": {"type": "string", "pattern": id_pattern("pat")}},
                    "additionalProperties": False,
                }
            }
        }
    }
}
FindingIdText = Annotated[str, Field(json_schema_extra={"pattern": id_pattern("fnd")})]


async def finding_id(
    finding_id: FindingIdText, principal: PrincipalDep, services: ServicesDep
) -> str:
    """Return the id of a finding that may be read, from the path.

    Raises:
        NotFound: there is no such finding to be seen.
    """
    owner = await run_in_threadpool(_owner, services, finding_id)
    if not principal.may_read(owner):
        raise NotFound(f"There is no finding {finding_id[:40]}.")
    return finding_id


FindingId = Annotated[str, Depends(finding_id)]


async def own_finding_id(
    finding_id: FindingId, principal: PrincipalDep, services: ServicesDep
) -> str:
    """Return the id of a finding in a job of the caller, from the path.

    Raises:
        Forbidden: the job belongs to somebody else.
    """
    if not principal.may_change(await run_in_threadpool(_owner, services, finding_id)):
        text = "The checks of a patch belong to the owner of the job, who is somebody else."
        raise Forbidden(f"{text} Fork the job, and verify the finding of the fork.")
    return finding_id


def _owner(services: Services, finding_id: str) -> str:
    """Return whose a finding is, also of a row that cannot be read."""
    with services.database.read() as connection:
        job_id = get_job_of_finding(connection, finding_id)
    owners = services.owners.read(job_id) if job_id is not None else None
    if owners is None:
        raise NotFound(f"There is no finding {finding_id[:40]}.")
    return owners.owner


@router.get(
    "/jobs/{job_id}/findings",
    dependencies=[Security(right("jobs:read"))],
    summary="List the findings of a job",
    responses={200: {"model": list_of(Finding)}},
)
def list_job_findings(
    job_id: JobId, services: ServicesDep, limit: Limit = 100, after: FindingIdText | None = None
) -> Any:
    """Return the findings: open before resolved, roots before what they explain.

    `after` is the id of the last finding of the page before.
    """
    check_cursor(after, "fnd")
    with services.database.read() as connection:
        find_job(connection, job_id)
        rows = list_findings(connection, job_id)
        checks = read_checks(connection, job_id)
    ids = [row.id for row in rows]
    start = ids.index(after) + 1 if after in ids else 0
    page = [finding_json(row, checks) for row in rows[start : start + limit]]
    return json_response(list_page(page, has_more=start + limit < len(rows)))


@router.get(
    "/findings/{finding_id}",
    dependencies=[Security(right("jobs:read"))],
    summary="Get a finding",
    responses={200: {"model": Finding}},
)
def get_finding(finding_id: FindingId, services: ServicesDep) -> Any:
    """Return a finding, with the checks of its patches."""
    return json_response(_read(services, finding_id))


@router.post(
    "/findings/{finding_id}/verify",
    dependencies=[Security(right("jobs:write"))],
    status_code=202,
    summary="Check a patch of a finding by training",
    openapi_extra=VERIFY_BODY,
    responses={202: {"model": Finding, **LOCATION}},
)
async def verify_finding(
    finding_id: Annotated[str, Depends(own_finding_id)],
    request: Request,
    services: ServicesDep,
    principal: PrincipalDep,
) -> Any:
    """Train the job again with the patch, next to a null fork, and compare validation losses.

    Returns the finding, whose patch has a `check`: first queued, at last verified, refuted or
    inconclusive. Without a `patch` the first is checked. A patch is checked once: a repeated
    request returns the same check, or starts it again where its jobs did not train to the end.
    """
    body = await request.body()
    if body:
        await json_body(request)
    await services.sidecar.in_thread(verification.verify, services, principal, finding_id, body)
    finding = await run_in_threadpool(_read, services, finding_id)
    headers = {"Location": f"/v1/findings/{finding_id}"}
    return json_response(finding, status=202, headers=headers)


def _read(services: Services, finding_id: str) -> dict[str, Any]:
    with services.database.read() as connection:
        row = find_finding(connection, finding_id)
        return finding_json(row, read_checks(connection, row.job_id))
