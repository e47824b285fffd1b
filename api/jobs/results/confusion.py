"""The confusion matrix of a checkpoint."""

from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel

from api.deps import JobId, ServicesDep
from api.http.responses import json_response
from api.http.schemas import Count
from api.jobs.results.evaluations import CheckpointName, read_classification
from shared.jobs.checkpoint_names import checkpoint_name

router = APIRouter()


class Confusion(BaseModel):
    """Counts on the test split: `matrix[label][predicted]`."""

    object: Literal["confusion"]
    checkpoint: str
    name: str
    classes: list[str]
    matrix: list[list[Count]]


@router.get(
    "/confusion",
    summary="Get the confusion matrix of a checkpoint",
    responses={200: {"model": Confusion}},
)
def get_confusion(job_id: JobId, services: ServicesDep, checkpoint: CheckpointName = None) -> Any:
    """Return counts on the test split as `matrix[label][predicted]`.

    If several classes share the highest score and the label is among them, the label counts as
    predicted. A sample with a score that is not finite is not counted.
    """
    row, evaluation = read_classification(services, job_id).select(checkpoint)
    return json_response(
        {
            "object": "confusion",
            "checkpoint": row.id,
            "name": checkpoint_name(row),
            "classes": evaluation.data["classes"],
            "matrix": evaluation.data["confusion"],
        }
    )
