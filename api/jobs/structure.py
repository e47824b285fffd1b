"""Faults of a specification's structure, in our words, from what pydantic found."""

from typing import Any

from pydantic import BaseModel, ValidationError

from api.catalog.methods import Faults, escaped, nearest, shown
from shared.errors import Fault
from shared.spec import (
    CheckpointSpec,
    ClippingSpec,
    DatasetSpec,
    EarlyStoppingSpec,
    JobSpec,
    MetricsSpec,
    ResourcesSpec,
    TrainingSpec,
)

MODELS: dict[tuple[str, ...], type[BaseModel]] = {
    (): JobSpec,
    ("dataset",): DatasetSpec,
    ("training",): TrainingSpec,
    ("training", "early_stopping"): EarlyStoppingSpec,
    ("optimizer", "gradient_clipping"): ClippingSpec,
    ("metrics",): MetricsSpec,
    ("resources",): ResourcesSpec,
    ("checkpoints", "*"): CheckpointSpec,
}


def faults_of(error: ValidationError) -> Faults:
    """Every fault with its pointer."""
    return [_fault(one) for one in error.errors(include_url=False)]


def _fault(one: Any) -> Fault:
    location = [part for part in one["loc"] if part != "[key]"]
    pointer = "".join(f"/{escaped(str(part))}" for part in location)
    if one["type"] == "missing":
        return Fault(pointer, "is missing")
    if one["type"] == "extra_forbidden":
        parents = tuple("*" if isinstance(part, int) else str(part) for part in location[:-1])
        fields = MODELS[parents].model_fields if parents in MODELS else ()
        return Fault(pointer, f"is not a field; {nearest(str(location[-1]), fields)}")
    text = one["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if one["type"] in {"too_long", "string_too_long"}:
        return Fault(pointer, text)
    return Fault(pointer, f"{text}, and is {shown(one['input'])}")
