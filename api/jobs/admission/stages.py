"""The stages of a job: a job without fine-tuning is a single stage."""

from collections.abc import Iterator
from typing import Any, Literal

from api.http.json_pointer import pointer
from api.jobs.admission.draft import Draft
from shared.spec import OptimizerSpec

#: The pointer of a part that stages inherit from the job.
JOB_PARTS = {"optimizer": "/optimizer", "early_stopping": "/training/early_stopping"}


def stages_of(filled: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the stages of a specification."""
    fine_tuning = filled["fine_tuning"]
    if fine_tuning:
        return fine_tuning["stages"]
    training = filled["training"]
    return [
        {
            "optimizer": filled["optimizer"],
            "epochs": training["epochs"],
            "early_stopping": training["early_stopping"],
        }
    ]


def stage_pointer(index: int, *parts: str | int) -> str:
    """Return the pointer of a part of a stage."""
    return pointer("fine_tuning", "stages", index, *parts)


def posted_optimizers(draft: Draft) -> list[tuple[str, dict[str, Any]]]:
    """Return every posted optimizer without faults, with its pointer."""
    if draft.spec is None:
        return []
    optimizers = [("/optimizer", draft.filled["optimizer"])]
    stages = draft.spec.fine_tuning.stages if draft.spec.fine_tuning else ()
    for index, stage in enumerate(stages):
        if stage.optimizer is not None:
            filled = draft.filled["fine_tuning"]["stages"][index]["optimizer"]
            optimizers.append((stage_pointer(index, "optimizer"), filled))
    return [(at, optimizer) for at, optimizer in optimizers if optimizer]


def posted_parts(
    draft: Draft, field: Literal["optimizer", "early_stopping"]
) -> Iterator[tuple[str, Any, int]]:
    """Yield a part of each stage, its pointer and the epochs of the stage.

    The pointer is that of the job's part where the stage inherits it.
    """
    spec = draft.spec.fine_tuning if draft.spec is not None else None
    for index, stage in enumerate(stages_of(draft.filled)):
        is_own = spec is not None and getattr(spec.stages[index], field) is not None
        at = stage_pointer(index, field) if is_own else JOB_PARTS[field]
        yield at, stage[field], stage["epochs"]


def distinct_optimizers(filled: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the optimizers of all stages with their own parameters, each once."""
    distinct: list[dict[str, Any]] = []
    for stage in stages_of(filled):
        optimizer = OptimizerSpec.model_validate(stage["optimizer"])
        method = {"name": optimizer.name, **optimizer.parameters}
        if method not in distinct:
            distinct.append(method)
    return distinct
