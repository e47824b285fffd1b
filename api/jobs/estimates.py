"""Estimates of how long a job takes, from the durations of finished jobs."""

from typing import Any

from api.services.container import Services
from shared.jobs import queries

#: How many finished jobs are searched, newest first.
MAX_JOBS = 50
#: Parts of a specification that decide how long an image takes.
PARTS = ("architecture", "regularizers", "augmentation", "fine_tuning")
TRAINING_FIELDS = ("batch_size", "precision")
DATASET_FIELDS = ("image_size", "channels", "features")
#: Training on an image takes about three times as long as evaluating it: a forward pass and a
#: backward pass of twice the cost.
PASSES_PER_TRAINING_IMAGE = 3


def seconds_per_epoch(services: Services, spec: dict[str, Any]) -> float | None:
    """Estimate the duration of an epoch from the newest job that took as long per image.

    Args:
        services: the parts of this service.
        spec: with its defaults.

    Returns:
        The duration of that job's last epoch, scaled by the number of images; None where no job
        is comparable.
    """
    with services.database.read() as connection:
        rows = queries.list_jobs(connection, limit=MAX_JOBS, state="succeeded")
    cost = _cost_per_image(spec)
    for row in rows:
        seconds = row.metrics.get("seconds")
        if isinstance(seconds, float) and _cost_per_image(row.spec) == cost:
            scale = _passes(spec["dataset"]) / _passes(row.spec["dataset"])
            return round(seconds * scale, 3)
    return None


def _cost_per_image(spec: dict[str, Any]) -> list[Any]:
    """Return the values that decide how long an image takes."""
    return [
        *(spec[part] for part in PARTS),
        *(spec["training"][field] for field in TRAINING_FIELDS),
        *(spec["dataset"].get(field) for field in DATASET_FIELDS),
    ]


def _passes(dataset: dict[str, Any]) -> int:
    """Return the forward passes that an epoch's time is worth.

    An epoch trains, validates, and evaluates as many training images for the generalization gap.
    """
    train, validation = dataset["train"], dataset["validation"]
    return PASSES_PER_TRAINING_IMAGE * train + validation + min(train, validation)
