"""`GET /v1/jobs/{id}/findings`: what the rules found in a training."""

from typing import Annotated, Any

from fastapi import APIRouter, Security
from pydantic import Field

from api.deps import JobId, ServicesDep, right
from api.findings.rendering import finding_json
from api.findings.schemas import Finding
from api.http.requests import Limit, check_cursor, id_pattern
from api.http.responses import json_response, list_page
from api.http.schemas import list_of
from api.jobs.lookup import find_job
from shared.jobs.findings import list_findings

router = APIRouter(prefix="/v1", tags=["findings"])

FindingId = Annotated[str, Field(json_schema_extra={"pattern": id_pattern("fnd")})]


@router.get(
    "/jobs/{job_id}/findings",
    dependencies=[Security(right("jobs:read"))],
    summary="List the findings of a job",
    responses={200: {"model": list_of(Finding)}},
)
def list_job_findings(
    job_id: JobId, services: ServicesDep, limit: Limit = 100, after: FindingId | None = None
) -> Any:
    """Return the findings: open before resolved, roots before what they explain.

    `after` is the id of the last finding of the page before.
    """
    check_cursor(after, "fnd")
    with services.database.read() as connection:
        find_job(connection, job_id)
        rows = list_findings(connection, job_id)
    ids = [row.id for row in rows]
    start = ids.index(after) + 1 if after in ids else 0
    page = [finding_json(row) for row in rows[start : start + limit]]
    return json_response(list_page(page, has_more=start + limit < len(rows)))
