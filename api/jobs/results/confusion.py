"""The confusion matrix of a checkpoint, and the samples of its cells."""

import re
from collections.abc import Sequence
from functools import partial
from typing import Any, Literal
from urllib.parse import unquote

from fastapi import APIRouter, Request, Response, Security
from pydantic import BaseModel

from api.catalog.hints import spelling_hint
from api.deps import JobId, ServicesDep, right
from api.http.faults import quoted
from api.http.requests import Limit
from api.http.responses import json_response
from api.http.schemas import Count
from api.jobs.results.evaluations import CheckpointName, read_classification
from api.jobs.results.pictures import LIST_OR_SHEET, Format, list_or_sheet
from api.jobs.results.samples import Skipped, read_predictions
from shared import predictions
from shared.errors import NotFound
from shared.jobs.checkpoint_names import checkpoint_name
from shared.predictions import Prediction

router = APIRouter()

NUMBER = re.compile("[0-9]{1,9}")


class Confusion(BaseModel):
    """Counts on the test split: `matrix[label][predicted]`."""

    object: Literal["confusion"]
    checkpoint: str
    name: str
    classes: list[str]
    matrix: list[list[Count]]


@router.get(
    "/confusion",
    dependencies=[Security(right("jobs:read"))],
    summary="Get the confusion matrix of a checkpoint",
    responses={200: {"model": Confusion}},
)
def get_confusion(job_id: JobId, services: ServicesDep, checkpoint: CheckpointName = None) -> Any:
    """Return counts on the test split as `matrix[label][predicted]`.

    If several classes share the highest score, the first of them counts as predicted. A sample with
    a score that is not finite is not counted.
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


@router.get(
    # Paths, since a class may have slashes in its name, which arrive decoded.
    "/confusion/{true:path}/{predicted:path}",
    dependencies=[Security(right("jobs:read"))],
    summary="List the samples of a cell of the confusion matrix",
    responses=LIST_OR_SHEET,
)
async def list_cell(
    job_id: JobId,
    true: str,
    predicted: str,
    request: Request,
    services: ServicesDep,
    checkpoint: CheckpointName = None,
    format: Format = "json",  # noqa: A002 - the name of the parameter
    after: Skipped = 0,
    limit: Limit = 20,
) -> Response:
    """Return the test samples of a label that are predicted as a class, most confident first.

    `true` and `predicted` are names of classes, or their numbers from 0. As a sheet, the picture of
    each sample has its number, the probability, the label and the predicted class below it.
    """
    names = _parts_of_path(request) or (true, predicted)

    def respond() -> Response:
        evaluated = read_classification(services, job_id)
        row, evaluation = evaluated.select(checkpoint)
        classes = evaluation.data["classes"]
        label, other = (_find_class(name, classes) for name in names)
        read = partial(
            predictions.most_confident,
            is_wanted=partial(_is_in_cell, label=label, predicted=other),
            first=after,
            limit=limit,
        )
        found, total = read_predictions(services, row, evaluation, read)
        return list_or_sheet(
            services,
            request,
            evaluated,
            (row, evaluation),
            found=found,
            total=total,
            after=after,
            form=format,
            title="Cell of the confusion matrix",
        )

    return await services.sidecar.in_thread(respond)


def _parts_of_path(request: Request) -> tuple[str, str] | None:
    """Return both names as the client wrote them, with their own slashes escaped."""
    path = (request.scope.get("raw_path") or b"").decode("ascii", "replace")
    names = path.partition("/confusion/")[2].split("/")
    return (unquote(names[0]), unquote(names[1])) if len(names) == 2 else None


def _find_class(name: str, classes: Sequence[str]) -> int:
    """Return the label of a class by its name, or else by its number.

    Raises:
        NotFound: There is no such class.
    """
    if name in classes:
        return classes.index(name)
    if NUMBER.fullmatch(name) and int(name) < len(classes):
        return int(name)
    raise NotFound(
        f"The job has no class {quoted(name)}. {spelling_hint(name, classes)}, or a number from 0 "
        f"to {len(classes) - 1}."
    )


def _is_in_cell(prediction: Prediction, *, label: int, predicted: int) -> bool:
    is_same = prediction.label == label and prediction.classes[0] == predicted
    return is_same and prediction.is_finite
