"""Top-k accuracies on the test split, and the predictions for its samples."""

from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.deps import JobId, ServicesDep
from api.http.requests import Limit
from api.http.responses import json_response, list_page
from api.http.schemas import Count, JsonNumber, list_of
from api.jobs.results.accuracies import FIELDS, Accuracies
from api.jobs.results.evaluations import CheckpointName, read_classification
from shared import predictions
from shared.errors import DamagedFile, NotFound
from shared.jobs.checkpoint_names import checkpoint_name
from shared.jobs.rows import CheckpointRow, EvaluationRow
from shared.json_numbers import json_number
from shared.predictions import Prediction

router = APIRouter()


class RankedClass(BaseModel):
    """A class among the most probable classes of a sample."""

    class_: Count = Field(alias="class")
    name: str
    probability: JsonNumber


class Sample(BaseModel):
    """The prediction of a checkpoint for a sample."""

    sample: Count
    label: Count
    label_name: str
    right: bool
    classes: list[RankedClass]


class Samples(list_of(Sample)):
    """A page of samples, predicted by a checkpoint."""

    checkpoint: str


class TopK(BaseModel):
    """Accuracies of every evaluated checkpoint, and the predictions of a single checkpoint."""

    object: Literal["top_k"]
    checkpoints: list[Accuracies]
    samples: Samples


@router.get(
    "/top-k",
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
    after: Annotated[int, Query(ge=0, le=2**31, description="The number of samples to skip")] = 0,
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
    path = services.storage.path(evaluation.predictions)
    try:
        if sample is None:
            page = predictions.read(path, first=after, limit=limit + 1)
            has_more = len(page) > limit
            page = page[:limit]
        else:
            page, has_more = _read_samples(path, sample), False
    except ValueError as error:
        raise DamagedFile(
            f"The stored predictions of checkpoint {checkpoint_name(row)} are damaged. Use another "
            "checkpoint, or ask the administrator to restore the file from a backup."
        ) from error
    classes = evaluation.data["classes"]
    samples = [_sample_json(prediction, classes) for prediction in page]
    return json_response(
        {
            "object": "top_k",
            "checkpoints": [_accuracies_json(*pair) for pair in evaluated.pairs],
            "samples": {"checkpoint": row.id, **list_page(samples, has_more=has_more)},
        }
    )


def _read_samples(path: Path, samples: list[int]) -> list[Prediction]:
    """Return the predictions for these samples, all of which must be in the test split."""
    found = predictions.read_samples(path, set(samples))
    missing = sorted(set(samples) - {prediction.sample for prediction in found})
    if missing:
        raise NotFound(
            f"The test split does not contain sample {', '.join(map(str, missing))}. "
            "Leave out `sample` to list the samples of the test split.",
            samples=missing,
        )
    return found


def _accuracies_json(row: CheckpointRow, evaluation: EvaluationRow) -> dict[str, Any]:
    return {
        "checkpoint": row.id,
        "name": checkpoint_name(row),
        "epoch": row.epoch,
        "split": evaluation.split,
        **{field: evaluation.data[field] for field in FIELDS},
    }


def _sample_json(prediction: Prediction, class_names: list[str]) -> dict[str, Any]:
    ranked = zip(prediction.classes, prediction.probabilities, strict=True)
    return {
        "sample": prediction.sample,
        "label": prediction.label,
        "label_name": class_names[prediction.label],
        "right": prediction.is_right,
        "classes": [
            {"class": index, "name": class_names[index], "probability": json_number(probability)}
            for index, probability in ranked
        ],
    }
