"""Predictions of a job as the API shows them, and of an epoch from the work of a step."""

from collections.abc import Mapping
from typing import Any

from api.services.container import Services
from shared.errors import Unavailable
from shared.jobs import liveness
from shared.jobs.estimates.cost import PASSES_PER_TRAINING_IMAGE
from shared.jobs.estimates.durations import Duration, cold_duration
from shared.jobs.estimates.estimator import Prediction
from shared.jobs.estimates.memory import MemoryNeed

Json = dict[str, Any]

#: Seconds for each part of a step's work on a GPU, roughly: the start of an operation, memory at
#: 1 TB/s, and 20 TFLOP/s.
GPU_SPEED = {"operations": 2e-5, "bytes": 1e-12, "flops": 5e-14}
#: A real step takes longer than its parts: it also updates the weights and waits for memory. The
#: median of nine networks on a CPU, whose steps took 1.1 to 2 times as long.
STEP_FACTOR = 1.4


def epoch_seconds_of_work(
    services: Services, spec: dict[str, Any], work: Mapping[str, int] | None
) -> float | None:
    """Estimate the duration of an epoch without a job of its kind.

    Args:
        services: the parts of this service.
        spec: with its defaults.
        work: of a training step, as the sidecar counts it; None if it does not respond.

    Returns:
        A prediction from the work, which may be wrong by a factor of 2; None without the sidecar.
    """
    if work is None:
        return None
    try:
        speed = GPU_SPEED if _has_gpu(services) else services.sidecar.send("speed", {})
    except Unavailable:
        return None
    gpus = spec["resources"]["gpus"]  # of which each computes its part of the batch
    parts = {part: work[part] / (1 if part == "operations" else gpus) for part in GPU_SPEED}
    step = STEP_FACTOR * sum(parts[part] * speed[part] for part in GPU_SPEED)
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


def _passes(dataset: dict[str, Any]) -> int:
    """Return the forward passes that an epoch's time is worth.

    An epoch trains, validates, and evaluates as many training images for the generalization gap.
    """
    train, validation = dataset["train"], dataset["validation"]
    return PASSES_PER_TRAINING_IMAGE * train + validation + min(train, validation)


def range_json(duration: Duration | None) -> Json:
    """Return the predicted duration of a job; null where it is unknown."""
    if duration is None:
        return {"p50": None, "p90": None}
    return {"p50": round(duration.p50, 1), "p90": round(duration.p90, 1)}


def basis_json(found: Duration | MemoryNeed | None) -> Json:
    """Return what a prediction is based on."""
    if found is None:
        return {"kind": "unknown", "attempts": 0}
    return {"kind": found.basis, "attempts": found.attempts}


def memory_json(prediction: Prediction) -> Json:
    """Return the upper bound of the memory that a job needs; null where it is unknown."""
    need = prediction.memory
    return {"mib": None if need is None else round(need.mib, 1), "basis": basis_json(need)}


def duration_of(prediction: Prediction, seconds_per_epoch: float | None) -> Duration | None:
    """Return the predicted duration; from the seconds of an epoch if no job is known."""
    if prediction.duration is not None or prediction.cost is None or not seconds_per_epoch:
        return prediction.duration
    cost = prediction.cost
    return cold_duration(seconds_per_epoch * cost.passes / cost.passes_per_epoch, cost)
