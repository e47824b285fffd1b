"""Patches of the regularization."""

from collections.abc import Mapping
from typing import Any

from worker.diagnostics.patches.patch import Changes, patch
from worker.diagnostics.view import View
from worker.registry import regularizers
from worker.regularizers.dropout import SETS as RATES

DROPOUT = 0.25


def _dropout_regularizers(view: View) -> list[str]:
    """Return the regularizers that set the architecture's dropout."""
    facts = {name: regularizers.get(name).facts for name in view.spec["regularizers"]}
    return [name for name, own in facts.items() if {*own.get("sets", ())} & {*RATES}]


@patch
def weaker_penalty(view: View) -> Changes | None:
    """Divide the weight of each penalty by a hundred, to at most 1e-4."""
    changes: dict[str, Any] = {}
    for name, parameters in view.spec["regularizers"].items():
        # The penalties have a weight; other regularizers have none.
        if isinstance(parameters, Mapping) and parameters.get("weight"):
            weight = min(parameters["weight"] / 100, 1e-4)
            changes[f"/regularizers/{name}/weight"] = float(f"{weight:.2g}")
    return (
        Changes(changes, "a penalty of at most 1e-4, a small part of the loss") if changes else None
    )


@patch
def less_dropout(view: View) -> Changes | None:
    """Drop a quarter of the features."""
    changes = {
        f"/regularizers/{name}/rate": DROPOUT
        for name in _dropout_regularizers(view)
        if view.spec["regularizers"][name]["rate"] > DROPOUT
    } or {
        f"/architecture/{name}": DROPOUT
        for name in RATES
        if view.spec["architecture"].get(name, 0) > DROPOUT
    }
    return Changes(changes, f"dropout {DROPOUT:g}") if changes else None


@patch
def more_dropout(view: View) -> Changes | None:
    """Drop a quarter of the features where none are dropped."""
    changes = {
        f"/architecture/{name}": DROPOUT
        for name in RATES
        if view.spec["architecture"].get(name) == 0
    }
    if not changes or _dropout_regularizers(view):
        return None
    return Changes(changes, f"dropout {DROPOUT:g}, so that no feature relies on another")


@patch
def l2(view: View) -> Changes | None:
    """Add an L2 penalty."""
    present = view.spec["regularizers"]
    if any(isinstance(own, Mapping) and own.get("weight") for own in present.values()):
        return None
    changed = {**present, "l2": {"weight": 5e-4, "only": None}}
    return Changes({"/regularizers": changed}, "an L2 penalty, which keeps weights small")


@patch
def no_augmentation(view: View) -> Changes | None:
    """Train on the images as they are."""
    if not view.spec["augmentation"]:
        return None
    return Changes({"/augmentation": {}}, "no augmentation")


@patch
def early_stopping(view: View) -> Changes | None:
    """Stop after three epochs without improvement, with the best weights."""
    if view.spec["training"].get("early_stopping") or view.spec.get("fine_tuning"):
        return None
    rule = {"monitor": "val_loss", "mode": "min", "patience": 3, "restore_best": True}
    changes = {"/training/early_stopping": {**rule, "min_delta": 0.0}}
    return Changes(changes, "early stopping, with the weights of the best epoch")
