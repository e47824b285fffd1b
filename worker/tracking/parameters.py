"""A specification as MLflow's parameters."""

from collections.abc import Iterator
from typing import Any

import orjson

from worker.tracking.names import MAX_PARAMETER_LENGTH, cut, name_of

#: Parts of a specification that a run has elsewhere: its name and its tags.
ELSEWHERE = {"name", "tags"}


def parameters_of(spec: dict[str, Any]) -> dict[str, str]:
    """Return the specification with names and values that MLflow accepts; empty texts are left out.

    What each stage of fine-tuning uses is named by the stage, such as
    `stages.warm_up.optimizer.name`. Long values are cut: the run's `spec.json` has all of them.
    """
    parts = {name: part for name, part in _by_stage(spec).items() if name not in ELSEWHERE}
    return {name_of(name): cut(text, MAX_PARAMETER_LENGTH) for name, text in flatten(parts) if text}


def flatten(value: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield each value of a specification as text, with its path such as `a.b.c`.

    Lists and empty objects are values, written as JSON.
    """
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from flatten(inner, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value if isinstance(value, str) else orjson.dumps(value).decode()


def _by_stage(spec: dict[str, Any]) -> dict[str, Any]:
    """Return the specification with the parts of each stage under its name.

    Admission has filled in the optimizer and the early stopping of each stage, so that the job's
    own, which no stage needs to use, are left out.
    """
    fine_tuning = spec.get("fine_tuning")
    if not fine_tuning:
        return spec
    stages = {stage["name"]: _without(stage, "name") for stage in fine_tuning["stages"]}
    return _without(spec, "optimizer") | {
        "training": _without(spec.get("training", {}), "early_stopping"),
        "fine_tuning": _without(fine_tuning, "stages"),
        "stages": stages,
    }


def _without(part: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in part.items() if key != name}
