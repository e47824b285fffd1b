"""The predictions of a checkpoint for samples of the test split."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

from api.http.schemas import Count, JsonNumber, list_of
from api.services.container import Services
from shared import predictions
from shared.errors import DamagedFile, NotFound
from shared.jobs.checkpoint_names import checkpoint_name
from shared.jobs.rows import CheckpointRow, EvaluationRow
from shared.json_numbers import json_number
from shared.predictions import Prediction

Found = TypeVar("Found")
#: The cursor of lists of samples.
Skipped = Annotated[int, Query(ge=0, le=2**31, description="The number of samples to skip")]


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


def read_predictions(
    services: Services,
    row: CheckpointRow,
    evaluation: EvaluationRow,
    read: Callable[[Path], Found],
) -> Found:
    """Return what `read` finds in the file of a checkpoint's predictions.

    Raises:
        NotFound: The file no longer exists.
        DamagedFile: It is damaged.
    """
    path = services.storage.path(evaluation.predictions)
    try:
        return read(path)
    except ValueError as error:
        raise DamagedFile(
            f"The stored predictions of checkpoint {checkpoint_name(row)} are damaged. Use another "
            "checkpoint, or ask the administrator to restore the file from a backup."
        ) from error


def read_samples(
    services: Services, row: CheckpointRow, evaluation: EvaluationRow, samples: list[int]
) -> list[Prediction]:
    """Return the predictions for these samples.

    Raises:
        NotFound: One of them is not in the test split.
    """

    def read(path: Path) -> list[Prediction]:
        return predictions.read_samples(path, set(samples))

    found = read_predictions(services, row, evaluation, read)
    missing = sorted(set(samples) - {prediction.sample for prediction in found})
    if missing:
        raise NotFound(
            f"The test split does not contain sample {', '.join(map(str, missing))}. "
            "`top-k` of the job lists its samples.",
            samples=missing,
        )
    return found


def sample_json(prediction: Prediction, class_names: list[str]) -> dict[str, Any]:
    """Return the prediction for a sample as the API shows it."""
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
