"""Faults of a specification's structure, in our words, from what pydantic found."""

import copy
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from api.catalog.methods import Faults, escaped, nearest, shown
from shared.errors import Fault
from shared.spec import (
    CheckpointSpec,
    ClippingSpec,
    DatasetSpec,
    EarlyStoppingSpec,
    FineTuningSpec,
    HeadSpec,
    JobSpec,
    MetricsSpec,
    ResourcesSpec,
    StageSpec,
    TrainingSpec,
    WeightsSpec,
)

Models = Mapping[tuple[str, ...], type[BaseModel]]

MODELS: Models = {
    (): JobSpec,
    ("dataset",): DatasetSpec,
    ("training",): TrainingSpec,
    ("training", "early_stopping"): EarlyStoppingSpec,
    ("optimizer", "gradient_clipping"): ClippingSpec,
    ("metrics",): MetricsSpec,
    ("resources",): ResourcesSpec,
    ("checkpoints", "*"): CheckpointSpec,
    ("fine_tuning",): FineTuningSpec,
    ("fine_tuning", "weights"): WeightsSpec,
    ("fine_tuning", "head"): HeadSpec,
    ("fine_tuning", "stages", "*"): StageSpec,
    ("fine_tuning", "stages", "*", "early_stopping"): EarlyStoppingSpec,
    ("fine_tuning", "stages", "*", "optimizer", "gradient_clipping"): ClippingSpec,
}


def faults_of(error: ValidationError, models: Models = MODELS) -> Faults:
    """Every fault with its pointer.

    Args:
        error: what pydantic found.
        models: which model stands where, so that an unknown field meets the known ones.
    """
    found = error.errors(include_url=False)
    places = [one["loc"] for one in found]
    return [
        _fault(one, models)
        for one in found
        # A list is too short only because its entries are at fault: they are named anyway.
        if one["type"] != "too_short" or not any(_is_beneath(p, one["loc"]) for p in places)
    ]


def without(raw: dict[str, Any], error: ValidationError) -> dict[str, Any]:
    """A copy of the specification without the values that are at fault."""
    rest = copy.deepcopy(raw)
    # From the back, so that places in a list stay what they are.
    for one in sorted(error.errors(), key=lambda one: str(one["loc"]), reverse=True):
        parent: Any = rest
        *way, last = one["loc"]
        try:
            for part in way:
                parent = parent[part]
            del parent[last]
        except (KeyError, IndexError, TypeError):
            continue  # it is gone already, or was never there
    return rest


def _is_beneath(place: tuple[int | str, ...], other: tuple[int | str, ...]) -> bool:
    return len(place) > len(other) and place[: len(other)] == other


def _fault(one: Any, models: Models) -> Fault:
    location = [part for part in one["loc"] if part != "[key]"]
    pointer = "".join(f"/{escaped(str(part))}" for part in location)
    if one["type"] == "missing":
        return Fault(pointer, "is missing")
    if one["type"] == "extra_forbidden":
        parents = tuple("*" if isinstance(part, int) else str(part) for part in location[:-1])
        fields = models[parents].model_fields if parents in models else ()
        return Fault(pointer, f"is not a field; {nearest(str(location[-1]), fields)}")
    if one["type"] in {"model_type", "model_attributes_type", "dict_type"}:
        return Fault(pointer, f"should be an object, and is {shown(one['input'])}")
    text = one["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if one["type"] in {"too_long", "string_too_long"}:
        return Fault(pointer, text)
    return Fault(pointer, f"{text}, and is {shown(one['input'])}")
