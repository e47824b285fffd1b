"""The checkpoints of a job, and the download of their weights."""

from typing import Any, Literal

from fastapi import APIRouter, Request, Security
from fastapi.responses import FileResponse, Response
from pydantic import BaseModel, Field

from api.deps import JobId, ServicesDep, right
from api.http.files import file_response
from api.http.requests import CheckpointId, Limit, check_cursor
from api.http.responses import json_response, list_page
from api.http.schemas import FILE, Count, JsonNumber, Sha256, Timestamp, list_of
from api.jobs.lookup import find_job
from api.services.container import Services
from shared.clock import rfc3339
from shared.jobs import queries
from shared.jobs.checkpoint_names import checkpoint_name, find_checkpoint
from shared.jobs.rows import CheckpointRow
from shared.json_numbers import json_number
from shared.storage import WEIGHTS

router = APIRouter()


class Checkpoint(BaseModel):
    """A checkpoint. `monitor` is null except for the best checkpoints."""

    id: str
    object: Literal["checkpoint"]
    name: str = Field(description="`last`, `initial`, `best_<monitor>` or `epoch_<n>`")
    monitor: str | None
    mode: Literal["min", "max"] | None
    value: JsonNumber | None
    stage: str
    epoch: Count = Field(description="Counted over the whole job; 0 is before training")
    step: Count
    bytes: Count
    sha256: Sha256 = Field(description="Of the download")
    created_at: Timestamp
    download: str


@router.get(
    "/checkpoints",
    dependencies=[Security(right("jobs:read"))],
    summary="List the checkpoints of a job",
    responses={200: {"model": list_of(Checkpoint)}},
)
def list_checkpoints(
    job_id: JobId,
    services: ServicesDep,
    limit: Limit = 20,
    after: CheckpointId | None = None,
) -> Any:
    """Return the checkpoints, oldest first. `after` is an id."""
    check_cursor(after, "ckpt")
    rows = [
        row
        for row in _read_all(services, job_id)
        if row.kind != "previous" and (after is None or row.id > after)
    ]
    page = [_checkpoint_json(row) for row in rows[:limit]]
    return json_response(list_page(page, has_more=len(rows) > limit))


@router.head(
    "/checkpoints/{checkpoint}/download",
    dependencies=[Security(right("jobs:read"))],
    include_in_schema=False,
)
@router.get(
    "/checkpoints/{checkpoint}/download",
    dependencies=[Security(right("jobs:read"))],
    summary="Download the weights of a checkpoint",
    response_class=FileResponse,
    responses=FILE,
)
def download_checkpoint(
    job_id: JobId, checkpoint: str, request: Request, services: ServicesDep
) -> Response:
    """Return the weights as safetensors. Ranges and `If-None-Match` are supported.

    `checkpoint` is an id, `last`, `initial` or `best_<monitor>`. The id of an earlier `last`
    remains valid while its file exists.
    """
    row = find_checkpoint(_read_all(services, job_id), checkpoint, with_previous=True)
    path = services.storage.path(f"{row.directory}/{WEIGHTS}")
    filename = f"{job_id}-{checkpoint_name(row)}.safetensors"
    return file_response(request, path, filename=filename, size=row.bytes, sha256=row.sha256)


def _read_all(services: Services, job_id: str) -> list[CheckpointRow]:
    with services.database.read() as connection:
        find_job(connection, job_id)
        return queries.list_checkpoints(connection, job_id)


def _checkpoint_json(row: CheckpointRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "object": "checkpoint",
        "name": checkpoint_name(row),
        "monitor": row.monitor,
        "mode": row.mode,
        "value": json_number(row.value) if row.kind == "best" else None,
        "stage": row.stage,
        "epoch": row.epoch,
        "step": row.step,
        "bytes": row.bytes,
        "sha256": row.sha256,
        "created_at": rfc3339(row.created_at),
        "download": f"/v1/jobs/{row.job_id}/checkpoints/{row.id}/download",
    }
