"""`POST /v1/jobs/{job_id}/predictions`: what a job's network says of new samples."""

from typing import Any, Literal

from fastapi import APIRouter, Request, Security
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from api.deps import JobId, PrincipalDep, ServicesDep, right
from api.http.responses import json_response
from api.http.schemas import JsonNumber
from api.jobs.lookup import find_job
from api.jobs.results.dataset_predictions import DatasetPredictions, predict_dataset
from api.jobs.results.evaluations import CheckpointName
from api.jobs.results.prediction_input import BODY, read_input
from api.services.container import Services
from shared.columns import is_table
from shared.jobs import queries
from shared.jobs.checkpoint_names import (
    checkpoint_name,
    default_checkpoint_name,
    find_checkpoint,
)
from shared.jobs.partial_rows import require
from shared.jobs.rows import CheckpointRow, JobRow
from shared.storage import WEIGHTS

router = APIRouter()


class PredictedClass(BaseModel):
    """One of the most probable classes."""

    class_: str = Field(alias="class")
    probability: JsonNumber | None = Field(
        description="Null where the network's output is not finite"
    )


class SamplePrediction(BaseModel):
    """The prediction for a picture or a row: `top_k`, or `value` of a regression."""

    name: str = Field(description="Of the file, or the number of the row from 1")
    top_k: list[PredictedClass] | None = None
    value: JsonNumber | None = None


class PredictionList(BaseModel):
    """The predictions in the order of the request."""

    object: Literal["list"]
    checkpoint: str = Field(description="The name of the checkpoint that predicts")
    data: list[SamplePrediction]


@router.post(
    "/predictions",
    dependencies=[Security(right("jobs:write"))],
    summary="Predict new pictures or rows, or a data set",
    openapi_extra=BODY,
    responses={
        200: {"model": PredictionList | DatasetPredictions},
        202: {"model": DatasetPredictions, "description": "Samples of the data set are left"},
    },
)
async def predict(
    job_id: JobId,
    request: Request,
    services: ServicesDep,
    principal: PrincipalDep,
    checkpoint: CheckpointName = None,
) -> Any:
    """Predict with a checkpoint of the job, on the CPU, without waiting for trainings.

    Pictures are prepared as in training: turned as their camera says, on white, cropped to a square
    (`dataset.resize`), resized and normalized. At most 64 pictures and 32 MB.

    The predictions for a data set become a CSV file among the job's artifacts. Each request works
    on it for some seconds and returns how far it is: with 202 until it is complete, then with 200.
    Send the same request again to continue; it does not matter how much later.
    """
    job, row = await run_in_threadpool(_find, services, job_id, checkpoint)
    given = await read_input(request, is_table=is_table(job.spec["dataset"]))
    if "dataset" in given:
        return await predict_dataset(services, principal, job, row, given)
    fields = {
        **given,
        "weights": f"{row.directory}/{WEIGHTS}",
        "sha256": row.sha256,
        "dataset": job.spec["dataset"],
        "top_k": max(job.spec["metrics"]["top_k"] or [1]),
    }
    response = await services.sidecar.send_long("predict", fields)
    body = {
        "object": "list",
        "checkpoint": checkpoint_name(row),
        "data": response["predictions"],
    }
    return json_response(body)


def _find(services: Services, job_id: str, name: str | None) -> tuple[JobRow, CheckpointRow]:
    """Return the job and the checkpoint with this name, by default the job's best.

    Raises:
        NotFound: There is no such job or checkpoint.
        RowUnreadable: The job's row is damaged.
    """
    with services.database.read() as connection:
        job = find_job(connection, job_id)
        require(job, "spec")
        rows = queries.list_checkpoints(connection, job_id)
    if name is None:
        rules = job.spec["checkpoints"]
        name = default_checkpoint_name(rule.get("monitor") for rule in rules)
        if name not in {checkpoint_name(row) for row in rows if row.kind != "previous"}:
            name = "last"
    row = find_checkpoint(rows, name)
    services.storage.path(f"{row.directory}/{WEIGHTS}")
    return job, row
