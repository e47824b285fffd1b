"""The structure of a specification: types, bounds and unknown fields, as pydantic finds them."""

from collections.abc import Mapping
from itertools import islice
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from api.catalog.hints import hint
from api.http.faults import abbreviated, quoted
from api.http.json_pointer import pointer
from api.http.pydantic_rules import LENGTH_RULES, RULES, bounds_of
from api.jobs.admission.draft import Draft
from api.jobs.admission.repair import path_of, pattern_of, reported, without_faulty_values
from api.jobs.admission.structure_corrections import correction
from shared.errors import MAX_FAULTS, Fault
from shared.spec import (
    CheckpointSpec,
    ClippingSpec,
    DatasetSpec,
    DiagnosticsSpec,
    EarlyStoppingSpec,
    FineTuningSpec,
    HeadSpec,
    JobSpec,
    MetricsSpec,
    ResourcesSpec,
    StageSpec,
    TensorBoardSpec,
    TrackingSpec,
    TrainingSpec,
    WeightsSpec,
)
from shared.spec.fields import PATTERN_RULES

Model = TypeVar("Model", bound=BaseModel)
#: The model at each path of a request, so that an unknown field meets the fields there are.
Models = Mapping[tuple[str, ...], type[BaseModel]]

MODELS: Models = {
    (): JobSpec,
    ("dataset",): DatasetSpec,
    ("diagnostics",): DiagnosticsSpec,
    ("training",): TrainingSpec,
    ("training", "early_stopping"): EarlyStoppingSpec,
    ("optimizer", "gradient_clipping"): ClippingSpec,
    ("metrics",): MetricsSpec,
    ("tracking",): TrackingSpec,
    ("tracking", "tensorboard"): TensorBoardSpec,
    ("resources",): ResourcesSpec,
    ("checkpoints", "*"): CheckpointSpec,
    ("fine_tuning",): FineTuningSpec,
    ("fine_tuning", "weights"): WeightsSpec,
    ("fine_tuning", "head"): HeadSpec,
    ("fine_tuning", "stages", "*"): StageSpec,
    ("fine_tuning", "stages", "*", "early_stopping"): EarlyStoppingSpec,
    ("fine_tuning", "stages", "*", "optimizer", "gradient_clipping"): ClippingSpec,
}


def check(draft: Draft) -> None:
    """Read the structure, without the values that have faults."""
    draft.spec = draft.faults.take(read(draft.raw, JobSpec, MODELS))
    if draft.spec is not None:
        draft.filled = draft.spec.model_dump(mode="json")


def read(
    raw: dict[str, Any], model: type[Model], models: Models
) -> tuple[Model | None, list[Fault]]:
    """Read a request without the values that have faults.

    Args:
        raw: the request as it was posted.
        model: its structure.
        models: the model at each path of it.

    Returns:
        The model, None where nothing can be read, and the faults, at most one more than an
        answer reports.
    """
    try:
        return model.model_validate(raw), []
    except ValidationError as error:
        return without_faulty_values(raw, model, error), faults_of(error, models, raw)


def faults_of(error: ValidationError, models: Models, raw: Any) -> list[Fault]:
    """Return what pydantic found, at most one fault more than an answer reports."""
    found = islice(reported(error), MAX_FAULTS + 1)
    return [_fault(details, models, raw) for details in found]


def _fault(details: Any, models: Models, raw: Any) -> Fault:
    path, kind, value = path_of(details), details["type"], details["input"]
    at = pointer(*path)
    if kind == "missing":
        return Fault(at, "is required")
    if kind == "extra_forbidden":
        parent = models.get(pattern_of(path[:-1]))
        fields = parent.model_fields if parent is not None else ()
        name = str(path[-1])
        return Fault(at, f"{quoted(name)} is not a field. {hint(name, fields)}")
    bounds = bounds_of(details)
    if kind in LENGTH_RULES:
        return Fault(at, LENGTH_RULES[kind].format(**bounds, length=len(value)))
    rule = details["msg"].removeprefix("Value error, ")  # of a validator of the model
    if kind in RULES:
        rule = RULES[kind].format(**bounds)
    elif kind == "string_pattern_mismatch":
        rule = PATTERN_RULES[bounds["pattern"]]
    meant = correction(path, kind, rule, value, raw) if path else ""
    return Fault(at, f"is {abbreviated(value)}; {rule}{meant}")
