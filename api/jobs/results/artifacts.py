"""The artifacts of a job: its result files."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Security
from fastapi.responses import FileResponse, Response
from pydantic import BaseModel

from api.deps import JobId, ServicesDep, right
from api.http.files import file_response
from api.http.requests import Limit
from api.http.responses import json_response, list_page
from api.http.schemas import FILE, Count, Sha256, Timestamp, list_of
from api.jobs.lookup import find_job
from api.services.container import Services
from shared.clock import rfc3339
from shared.errors import NotFound
from shared.jobs import queries
from shared.jobs.rows import ArtifactRow

router = APIRouter()


class Artifact(BaseModel):
    """A result file of a job."""

    id: str
    object: Literal["artifact"]
    name: str
    media_type: str
    bytes: Count
    sha256: Sha256
    created_at: Timestamp
    download: str


@router.get(
    "/artifacts",
    dependencies=[Security(right("jobs:read"))],
    summary="List the artifacts of a job",
    responses={200: {"model": list_of(Artifact)}},
)
def list_artifacts(
    job_id: JobId,
    services: ServicesDep,
    limit: Limit = 20,
    after: Annotated[str | None, Query(max_length=255)] = None,
) -> Any:
    """Return the result files by name. `after` is a name."""
    rows = [row for row in _read_all(services, job_id) if after is None or row.name > after]
    page = [artifact_json(row) for row in rows[:limit]]
    return json_response(list_page(page, has_more=len(rows) > limit))


@router.head(
    "/artifacts/{artifact}/download",
    dependencies=[Security(right("jobs:read"))],
    include_in_schema=False,
)
@router.get(
    "/artifacts/{artifact}/download",
    dependencies=[Security(right("jobs:read"))],
    summary="Download an artifact",
    response_class=FileResponse,
    responses=FILE,
)
def download_artifact(
    job_id: JobId, artifact: str, request: Request, services: ServicesDep
) -> Response:
    """Return a result file by its id or name, as an attachment.

    Ranges and `If-None-Match` are supported.
    """
    rows = _read_all(services, job_id)
    row = next((row for row in rows if artifact in {row.id, row.name}), None)
    if row is None:
        raise NotFound("The job has no such artifact; /artifacts lists what is available.")
    path = services.storage.path(row.path)
    return file_response(request, path, filename=row.name, size=row.bytes, sha256=row.sha256)


def _read_all(services: Services, job_id: str) -> list[ArtifactRow]:
    with services.database.read() as connection:
        find_job(connection, job_id)
        return queries.list_artifacts(connection, job_id)


def artifact_json(row: ArtifactRow) -> dict[str, Any]:
    """Return an artifact as the API shows it."""
    return {
        "id": row.id,
        "object": "artifact",
        "name": row.name,
        "media_type": row.media_type,
        "bytes": row.bytes,
        "sha256": row.sha256,
        "created_at": rfc3339(row.created_at),
        "download": f"/v1/jobs/{row.job_id}/artifacts/{row.id}/download",
    }
