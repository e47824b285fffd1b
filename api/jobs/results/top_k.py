"""Top-k accuracies on the test split, and the predictions for its samples."""

from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response, Security
from pydantic import BaseModel

from api.deps import JobId, ServicesDep, right
from api.http.requests import Limit
from api.http.responses import json_response, list_page
from api.jobs.results.accuracies import FIELDS, Accuracies
from api.jobs.results.evaluations import CheckpointName, read_classification
from api.jobs.results.pictures import LIST_OR_SHEET, Format, list_or_sheet
from api.jobs.results.samples import Samples, Skipped, read_predictions, read_samples, sample_json
from shared import predictions
from shared.jobs.checkpoint_names import checkpoint_name
from shared.jobs.rows import CheckpointRow, EvaluationRow
from shared.predictions import Prediction

router = APIRouter()


class TopK(BaseModel):
    """Accuracies of every evaluated checkpoint, and the predictions of a single checkpoint."""

    object: Literal["top_k"]
    checkpoints: list[Accuracies]
    samples: Samples


@router.get(
    "/top-k",
    dependencies=[Security(right("jobs:read"))],
    summary="Get top-k accuracies and predictions on the test split",
    responses={200: {"model": TopK}},
)
def get_top_k(
    job_id: JobId,
    services: ServicesDep,
    checkpoint: CheckpointName = None,
    sample: Annotated[
        list[int] | None,
        Query(
            max_length=100,
            description="Indices of samples in the data set. All of them are returned, whatever "
            "`limit` and `after` are",
        ),
    ] = None,
    after: Skipped = 0,
    limit: Limit = 20,
) -> Any:
    """Return the accuracies of every evaluated checkpoint, and samples as a checkpoint predicts.

    Each entry of `checkpoints` has the loss, `accuracy` and `top_k` (by k, the fraction of samples
    whose label is among the k highest scores), `per_class` (the number of samples and the accuracy
    of each class) and `mistakes` (the wrong predictions of the highest confidence). Each entry of
    `samples` has the label, the most probable classes and whether the prediction is right.

    A sample is right if its label is the first class with the highest score; this gives accuracy,
    per-class accuracy, mistakes and the confusion matrix. `top_k` counts a label that ties as in,
    so `top_k` of 1 exceeds the accuracy where classes tie for the highest score. A sample with a
    score that is not finite is wrong.
    """
    evaluated = read_classification(services, job_id)
    row, evaluation = evaluated.select(checkpoint)
    if sample is None:
        read = partial(predictions.read, first=after, limit=limit + 1)
        page = read_predictions(services, row, evaluation, read)
        has_more, page = len(page) > limit, page[:limit]
    else:
        page, has_more = read_samples(services, row, evaluation, sample), False
    classes = evaluation.data["classes"]
    samples = [sample_json(prediction, classes) for prediction in page]
    return json_response(
        {
            "object": "top_k",
            "checkpoints": [_accuracies_json(*pair) for pair in evaluated.pairs],
            "samples": {"checkpoint": row.id, **list_page(samples, has_more=has_more)},
        }
    )


@router.get(
    "/top-k/mistakes",
    dependencies=[Security(right("jobs:read"))],
    summary="List the most confident mistakes",
    responses=LIST_OR_SHEET,
)
async def list_mistakes(
    job_id: JobId,
    request: Request,
    services: ServicesDep,
    checkpoint: CheckpointName = None,
    format: Format = "json",  # noqa: A002 - the name of the parameter
    after: Skipped = 0,
    limit: Limit = 20,
) -> Response:
    """Return the test samples that a checkpoint predicts wrong, the highest probability first.

    As a sheet, the picture of each sample has its number, the probability, the label and the
    predicted class below it. Samples with a score that is not finite come last.
    """

    def respond() -> Response:
        evaluated = read_classification(services, job_id)
        row, evaluation = evaluated.select(checkpoint)
        read = partial(predictions.most_confident, is_wanted=_is_wrong, first=after, limit=limit)
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
            title="Most confident mistakes",
        )

    return await services.sidecar.in_thread(respond)


def _is_wrong(prediction: Prediction) -> bool:
    return not prediction.is_right


def _accuracies_json(row: CheckpointRow, evaluation: EvaluationRow) -> dict[str, Any]:
    return {
        "checkpoint": row.id,
        "name": checkpoint_name(row),
        "epoch": row.epoch,
        "split": evaluation.split,
        **{field: evaluation.data[field] for field in FIELDS},
    }
