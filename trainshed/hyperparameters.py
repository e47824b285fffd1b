"""The hyperparameters of a filled specification as short texts."""

import json
from typing import Any

Json = dict[str, Any]
#: Fields of an optimizer that have a row of their own.
OPTIMIZER_ROWS = ("schedule", "gradient_clipping")
TRAINING_ROWS = ("batch_size", "precision", "early_stopping")


def hyperparameters(spec: Json) -> dict[str, str]:
    """Return what a job trains with, by the name of its row; what is not used is left out.

    With fine-tuning each stage is a row, because the optimizer of the job is only the default of
    its stages.
    """
    training, fine_tuning = spec.get("training") or {}, spec.get("fine_tuning")
    rows = {"epochs": training.get("epochs")}
    rows |= _stages(fine_tuning) if fine_tuning else _optimizer(spec.get("optimizer") or {})
    rows |= {slot: _methods(spec.get(slot) or {}) for slot in ("regularizers", "augmentation")}
    rows |= {name: spec.get(name) for name in ("loss", "initializer")}
    rows |= {name: training.get(name) for name in TRAINING_ROWS}
    rows["seed"] = spec.get("seed")
    return {name: text for name, value in rows.items() if (text := _text(value)) != ""}


def _optimizer(optimizer: Json) -> Json:
    own = {name: value for name, value in optimizer.items() if name not in OPTIMIZER_ROWS}
    return {"optimizer": own} | {name: optimizer.get(name) for name in OPTIMIZER_ROWS}


def _stages(fine_tuning: Json) -> Json:
    rows = {name: fine_tuning.get(name) for name in ("weights", "head")}
    return rows | {
        f"stage {stage['name']}": _without(stage, "name") for stage in fine_tuning["stages"]
    }


def _methods(parameters_by_name: Json) -> str:
    methods = ({"name": name, **value} for name, value in parameters_by_name.items())
    return ", ".join(map(_text, methods))


def _text(value: Any) -> str:
    """Return a value as text: a method with its parameters in brackets; empty for null and {}."""
    if value is None or value == {}:
        return ""
    if isinstance(value, str):
        return value
    if not isinstance(value, dict):
        return json.dumps(value)
    pairs = {name: _text(field) for name, field in value.items() if name != "name"}
    fields = ", ".join(f"{name} {text}" for name, text in pairs.items() if text)
    if "name" not in value:
        return fields
    return f"{value['name']} ({fields})" if fields else value["name"]


def _without(value: Json, name: str) -> Json:
    return {key: field for key, field in value.items() if key != name}
