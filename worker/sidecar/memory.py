"""The device memory that a specification will take, from what the API asks of it."""

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


def predicted_mib(
    question: Mapping[str, Any], parameters: Mapping[str, Any], head: Head | None
) -> float:
    """Device memory in MiB, to a tenth.

    Args:
        question: as `worker.sidecar.server.describe` takes it, with what it needs for memory.
        parameters: the architecture's, with what regularizers set.
        head: a new head, in fine-tuning.

    Raises:
        ValueError: something is not admitted.
    """
    built = build_regularizers(_once(question.get("regularizers", {}))).values()
    penalties = [measure_penalty(one.penalty) for one in built if one.penalty]
    memory = predict_memory_mib(
        question["architecture"]["name"],
        parameters,
        tuple(question["image"]),
        question["classes"],
        batch_size=question["batch_size"],
        updates=[_update(one, penalties) for one in question["optimizers"]],
        terms=[one.on_forward for one in built if one.on_forward],
        precision=question.get("precision", "float32"),
        head=head,
    )
    return round(memory, 1)


def _update(given: Mapping[str, Any], penalties: Sequence[Update]) -> Update:
    """What an optimizer and the penalties before it take: one after the other."""
    own = {key: value for key, value in given.items() if key != "name"}
    optimizer = measure_optimizer(optimizers.bind(given["name"], own))
    temporaries = max(one.temporaries for one in (optimizer, *penalties))
    return replace(optimizer, temporaries=temporaries)


def _once(regularization: Mapping[str, Any]) -> dict[str, Any]:
    """Regularizers with what they repeat done once: the next time takes no more memory."""
    found = dict(regularization)
    for name in regularization:
        repeats = regularizers.get(name).facts.get("repeats")
        if repeats is not None:
            found[name] = {**regularization[name], repeats: 1}
    return found
