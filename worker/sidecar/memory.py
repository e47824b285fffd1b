"""The device memory that a job will need, predicted from a `describe` request."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from worker.registry import optimizers, regularizers
from worker.regularizers.overrides import build_regularizers
from worker.training.head import Head
from worker.training.memory import (
    Update,
    measure_optimizer,
    measure_penalty,
    predict_memory_mib,
)
from worker.training.work import WorkCounter


def predict_mib(
    request: Mapping[str, Any],
    parameters: Mapping[str, Any],
    head: Head | None,
    work: WorkCounter | None = None,
) -> float:
    """Return the device memory in MiB, rounded to a tenth.

    Args:
        request: as `describe` takes it, with its fields for memory.
        parameters: of the architecture, with the overrides of regularizers.
        head: the new head, in fine-tuning.
        work: counts the work of a step, where regularizers that repeat work do it once.

    Raises:
        SpecError: a name or a parameter is not allowed.
    """
    repeated_once = _without_repetition(request.get("regularizers", {}))
    built = build_regularizers(repeated_once).values()
    penalties = [measure_penalty(effect.penalty) for effect in built if effect.penalty]
    memory = predict_memory_mib(
        request["architecture"]["name"],
        parameters,
        tuple(request["image"]),
        request["classes"],
        batch_size=request["batch_size"],
        updates=[_update(optimizer, penalties) for optimizer in request["optimizers"]],
        terms=[effect.on_forward for effect in built if effect.on_forward],
        precision=request.get("precision", "float32"),
        head=head,
        work=work,
    )
    return round(memory, 1)


def _update(optimizer: Mapping[str, Any], penalties: Sequence[Update]) -> Update:
    """Return the memory of an update; penalties and the optimizer run one after the other."""
    parameters = {key: value for key, value in optimizer.items() if key != "name"}
    update = measure_optimizer(optimizers.bind(optimizer["name"], parameters))
    temporaries = max(part.temporaries for part in (update, *penalties))
    return replace(update, temporaries=temporaries)


def _without_repetition(specs: Mapping[str, Any]) -> dict[str, Any]:
    """Return regularizers that do repeated work once: repetition takes no more memory."""
    changed = dict(specs)
    for name in specs:
        repeats = regularizers.get(name).facts.get("repeats")
        if repeats is not None:
            changed[name] = {**specs[name], repeats: 1}
    return changed
