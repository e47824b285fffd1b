"""What decides how long a job takes: its kind, its number of passes, and the size of a pass."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, isfinite
from typing import Any

import orjson

#: Training on an image takes about three times as long as evaluating it: a forward pass and a
#: backward pass of twice the cost.
PASSES_PER_TRAINING_IMAGE = 3
#: How the time of a pass grows with the values of an image, and shrinks with the batch size and the
#: number of devices. Rough: it only compares kinds with each other, and an estimate from another
#: kind has a wide range.
GROWTH_WITH_VALUES, GROWTH_WITH_BATCH, GROWTH_WITH_DEVICES = 0.7, -0.3, -1.0


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of a job, as far as its specification shows it."""

    #: Jobs with the same digest take the same time for a pass.
    kind: str
    #: The name of the architecture.
    family: str
    #: Passes of one image in all epochs that are to be trained; a training step counts three.
    passes: float
    #: Of one epoch.
    passes_per_epoch: float
    #: About how long a pass takes compared with that of another kind.
    size: float
    #: `max_runtime_seconds`; infinite without it.
    limit_seconds: float = inf


def cost_of(spec: Any, *, epoch_limit: int | None = None, epochs_before: int = 0) -> Cost | None:
    """Return the cost of a job.

    Args:
        spec: with its defaults, as it is stored.
        epoch_limit: the epoch after which the training ends early.
        epochs_before: the epochs that are in the checkpoint from which the job starts.

    Returns:
        None for a specification without what decides it: damaged, or of an analysis.
    """
    try:
        return _cost(spec, epoch_limit, epochs_before)
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError):
        return None


def _cost(spec: Mapping[str, Any], epoch_limit: int | None, before: int) -> Cost | None:
    dataset, training = spec["dataset"], spec["training"]
    train, validation = int(dataset["train"]), int(dataset["validation"])
    epochs = int(training["epochs"])
    if epoch_limit is not None:
        epochs = min(epochs, epoch_limit)
    # An epoch trains, validates, and evaluates as many training images for the generalization gap.
    per_epoch = PASSES_PER_TRAINING_IMAGE * train + validation + min(train, validation)
    resources = spec["resources"]
    size = _values(dataset) ** GROWTH_WITH_VALUES * training["batch_size"] ** GROWTH_WITH_BATCH
    size *= (resources.get("gpus") or 1) ** GROWTH_WITH_DEVICES
    family = spec["architecture"]["name"]
    limit = resources.get("max_runtime_seconds") or inf
    numbers = (per_epoch, epochs, size, limit)
    if not isinstance(family, str) or min(numbers) <= 0 or not isfinite(size):
        return None
    digest = hashlib.sha256(orjson.dumps(_kind(spec), option=orjson.OPT_SORT_KEYS)).hexdigest()
    passes = max(0, epochs - before) * per_epoch
    return Cost(digest, family, float(passes), float(per_epoch), size, float(limit))


def _values(dataset: Mapping[str, Any]) -> float:
    """Return how many numbers an image or a row has."""
    if dataset.get("image_size"):
        return float(dataset["image_size"] ** 2 * (dataset.get("channels") or 1))
    return float(max(1, len(dataset.get("features") or ())))


def _kind(spec: Mapping[str, Any]) -> list[Any]:
    """Return what decides how long a pass takes, and the start and the end of the job."""
    dataset, training = spec["dataset"], spec["training"]
    fields = ("name", "target", "image_size", "channels", "resize", "residency")
    return [
        spec["architecture"],
        [dataset.get(field) for field in fields],
        len(dataset.get("features") or ()),
        [training.get(field) for field in ("batch_size", "precision", "deterministic")],
        # Of most methods the numbers do not matter, and sweeps change them.
        {name: _integers(method) for name, method in (spec.get("regularizers") or {}).items()},
        sorted(spec.get("augmentation") or {}),
        (spec.get("loss") or {}).get("name"),
        (spec.get("optimizer") or {}).get("name"),
        (training.get("early_stopping") or {}).get("patience"),
        (spec.get("diagnostics") or {}).get("mode"),
        (spec.get("tracking") or {}).get("tensorboard"),
        spec["resources"].get("gpus"),
        _stages(spec.get("fine_tuning")),
    ]


def _integers(method: Any) -> dict[str, int]:
    """Return the parameters that count something, such as repetitions."""
    values = method.items() if isinstance(method, dict) else ()
    return {name: value for name, value in values if isinstance(value, int)}


def _stages(fine_tuning: Mapping[str, Any] | None) -> list[Any] | None:
    """Return the head, and what each stage trains; the weights do not matter."""
    if fine_tuning is None:
        return None
    stages = fine_tuning.get("stages") or ()
    several = len(stages) > 1  # whose lengths decide the mean time of a pass
    fields = ("train", "batch_norm", "epochs") if several else ("train", "batch_norm")
    return [fine_tuning.get("head"), [[stage.get(field) for field in fields] for stage in stages]]
