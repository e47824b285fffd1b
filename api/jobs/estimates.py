"""Estimates of how long a job takes: as in a finished job, otherwise from the work of a step."""

from collections.abc import Mapping
from typing import Any

from api.services.container import Services
from shared.errors import Unavailable
from shared.jobs import liveness, queries
from shared.jobs.partial_rows import UnreadableJobRow

#: How many finished jobs are searched, newest first.
MAX_JOBS = 50
#: Parts of a specification that decide how long an image takes.
PARTS = ("architecture", "regularizers", "augmentation", "fine_tuning")
TRAINING_FIELDS = ("batch_size", "precision")
DATASET_FIELDS = ("image_size", "channels", "features")
#: Training on an image takes about three times as long as evaluating it: a forward pass and a
#: backward pass of twice the cost.
PASSES_PER_TRAINING_IMAGE = 3
#: Seconds for each part of a step's work on a GPU, roughly: the start of an operation, memory at
#: 1 TB/s, and 20 TFLOP/s.
GPU_SPEED = {"operations": 2e-5, "bytes": 1e-12, "flops": 5e-14}
#: A real step takes longer than its parts: it also updates the weights and waits for memory. The
#: median of nine networks on a CPU, whose steps took 1.1 to 2 times as long.
STEP_FACTOR = 1.4


def seconds_per_epoch(
    services: Services, spec: dict[str, Any], work: Mapping[str, int] | None
) -> float | None:
    """Estimate the duration of an epoch.

    Args:
        services: the parts of this service.
        spec: with its defaults.
        work: of a training step, as the sidecar counts it; None if it does not respond.

    Returns:
        The duration of the last epoch of the newest job that took as long per image, scaled by the
        number of images. Without such a job a prediction from the work, which may be wrong by a
        factor of 2; None without the sidecar.
    """
    measured = _as_measured(services, spec)
    if measured is not None or work is None:
        return measured
    try:
        speed = GPU_SPEED if _has_gpu(services) else services.sidecar.send("speed", {})
    except Unavailable:
        return None
    step = STEP_FACTOR * sum(work[part] * speed[part] for part in GPU_SPEED)
    dataset = spec["dataset"]
    images = min(spec["training"]["batch_size"], dataset["train"])
    return round(step / images * _passes(dataset) / PASSES_PER_TRAINING_IMAGE, 3)


def _has_gpu(services: Services) -> bool:
    """Return whether the worker that was seen last has a GPU."""
    with services.database.read() as connection:
        workers = liveness.list_workers(connection)
    newest = max(workers, key=lambda worker: worker.seen_at, default=None)
    return newest is not None and any(
        device["name"].startswith("cuda") for device in newest.devices
    )


def _as_measured(services: Services, spec: dict[str, Any]) -> float | None:
    with services.database.read() as connection:
        rows = queries.list_jobs(connection, limit=MAX_JOBS, only_owner=None, state="succeeded")
    cost = _cost_per_image(spec)
    for row in rows:
        if isinstance(row, UnreadableJobRow):
            continue
        seconds = row.metrics.get("seconds")
        try:
            if isinstance(seconds, float) and _cost_per_image(row.spec) == cost:
                scale = _passes(spec["dataset"]) / _passes(row.spec["dataset"])
                return round(seconds * scale, 3)
        except (KeyError, TypeError, ZeroDivisionError):  # a stored specification without defaults
            continue
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
