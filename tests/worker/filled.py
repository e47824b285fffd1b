"""Specifications with the defaults that admission fills in, for tests without the API."""

from collections.abc import Mapping
from typing import Any

from shared.spec import JobSpec
from worker.registry import SLOTS
from worker.training.metrics import metric_of


def parameters(slot: str, name: str, **changes: Any) -> dict[str, Any]:
    """Every parameter of a method: its defaults with changes. An unknown name has no defaults."""
    entries = SLOTS[slot].entries()
    filled_in = {**(entries[name].defaults if name in entries else {}), **changes}
    return _monitor(filled_in) if {"monitor", "mode"} <= filled_in.keys() else filled_in


def _monitor(rule: dict[str, Any]) -> dict[str, Any]:
    """Fill in the mode of a rule that monitors a metric; an unknown metric has "min"."""
    try:
        is_higher_better = metric_of(rule["monitor"]).direction == "higher"
    except ValueError:
        is_higher_better = False
    return {**rule, "mode": rule.get("mode") or ("max" if is_higher_better else "min")}


def filled(raw: Mapping[str, Any]) -> JobSpec:
    """A specification with its defaults filled in, also where its methods are not allowed."""
    spec = JobSpec.model_validate(raw).model_dump()
    for field, slot in (("architecture", "architectures"), ("loss", "losses")):
        spec[field] = _choice(slot, spec[field])
    for field, slot in (("regularizers", "regularizers"), ("augmentation", "augmentations")):
        spec[field] = {name: parameters(slot, name, **own) for name, own in spec[field].items()}
    overrides = spec["initializer"].pop("overrides")
    overrides = {pattern: _choice("initializers", choice) for pattern, choice in overrides.items()}
    spec["initializer"] = {**_choice("initializers", spec["initializer"]), "overrides": overrides}
    spec["optimizer"] = _optimizer(spec["optimizer"])
    for stage in (spec["fine_tuning"] or {"stages": []})["stages"]:
        stage["optimizer"] = _optimizer(stage["optimizer"] or spec["optimizer"])
        stage["early_stopping"] = stage["early_stopping"] or spec["training"]["early_stopping"]
    spec["dataset"]["normalization"] = spec["dataset"]["normalization"] or "standardize"
    stages = (spec["fine_tuning"] or {"stages": []})["stages"]
    for rule in (spec["training"], *stages):
        rule["early_stopping"] = rule["early_stopping"] and _monitor(rule["early_stopping"])
    spec["checkpoints"] = [
        _monitor(rule) if rule["monitor"] else rule for rule in spec["checkpoints"]
    ]
    if spec["metrics"]["top_k"] is None:
        spec["metrics"]["top_k"] = (1, 5)
    return JobSpec.model_validate(spec)


def _choice(slot: str, choice: dict[str, Any]) -> dict[str, Any]:
    return {"name": choice["name"], **parameters(slot, **choice)}


def _optimizer(choice: dict[str, Any]) -> dict[str, Any]:
    return {**_choice("optimizers", choice), "schedule": _choice("schedules", choice["schedule"])}
