"""`…/checkpoints/{checkpoint}/export`: a network as a file that other programs can run."""

from functools import partial
from typing import Literal

from fastapi import APIRouter, Request, Security
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, Response

from api.deps import JobId, ServicesDep, right
from api.http.files import file_response
from api.http.schemas import FILE
from api.jobs.lookup import find_job
from api.jobs.results.refusals import as_conflict
from api.services.container import Services
from shared.errors import InvalidSpec
from shared.jobs import queries
from shared.jobs.checkpoint_names import checkpoint_name, find_checkpoint
from shared.jobs.rows import CheckpointRow
from shared.storage import WEIGHTS

router = APIRouter()

#: The largest difference between the outputs of the file and of the network.
DIFFERENCE = "Largest-Difference"


@router.head(
    "/checkpoints/{checkpoint}/export",
    dependencies=[Security(right("jobs:read"))],
    include_in_schema=False,
)
@router.get(
    "/checkpoints/{checkpoint}/export",
    dependencies=[Security(right("jobs:read"))],
    summary="Export a network to ONNX",
    response_class=FileResponse,
    responses=FILE,
)
async def export_checkpoint(
    job_id: JobId,
    checkpoint: str,
    request: Request,
    services: ServicesDep,
    format: Literal["onnx"] = "onnx",  # noqa: A002 - the name of the parameter
) -> Response:
    """Return the network with its normalization and the names of its classes as one ONNX file.

    Its input is `images`, uint8 [N, C, H, W] in the job's size, or for a table `rows`, float64
    [N, columns]; its output `probabilities`, or for a regression `values`. Before it is sent, it is
    compared with the network on the same inputs; `Largest-Difference` is the result. The first
    request for a checkpoint takes seconds, or up to a minute for a large network.
    """
    row = await run_in_threadpool(_find, services, job_id, checkpoint)
    fields = {"weights": f"{row.directory}/{WEIGHTS}", "sha256": row.sha256}
    try:
        exported = await services.sidecar.send_long("export", fields)
    except InvalidSpec as error:
        raise as_conflict(error) from error
    response = await run_in_threadpool(
        partial(
            file_response,
            request,
            services.storage.path(exported["file"]),
            filename=f"{job_id}-{checkpoint_name(row)}.{format}",
            size=exported["bytes"],
            sha256=exported["sha256"],
        )
    )
    response.headers[DIFFERENCE] = str(exported["largest_difference"])
    return response


def _find(services: Services, job_id: str, checkpoint: str) -> CheckpointRow:
    """Return the checkpoint with this id or name.

    Raises:
        NotFound: there is no such job or checkpoint, or its file no longer exists.
    """
    with services.database.read() as connection:
        find_job(connection, job_id)
        rows = queries.list_checkpoints(connection, job_id)
    row = find_checkpoint(rows, checkpoint, with_previous=True)
    services.storage.path(f"{row.directory}/{WEIGHTS}")
    return row
