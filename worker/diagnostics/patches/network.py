"""Patches of the architecture and its initial weights."""

from typing import Any

from worker.diagnostics.patches.patch import Changes, patch
from worker.diagnostics.view import View
from worker.registry import architectures, regularizers
from worker.regularizers.batch_norm import SWITCH

WIDE = 128
MAX_WIDTH = 4096
#: Functions that are bounded on both sides, for which Xavier's scale is derived.
BOUNDED = frozenset({"sigmoid", "tanh"})


def _overrides(view: View) -> dict[str, Any]:
    return dict(view.spec["initializer"].get("overrides") or {})


def _has_trained_weights(view: View) -> bool:
    fine_tuning = view.spec.get("fine_tuning")
    return bool(fine_tuning and fine_tuning["weights"])


def _initializer(view: View, name: str) -> Changes | None:
    if _has_trained_weights(view) or view.spec["initializer"]["name"] == name:
        return None
    changes = {"/initializer": {"name": name, "overrides": _overrides(view)}}
    return Changes(changes, f"the initializer {name}, which keeps the scale from layer to layer")


@patch
def he_normal(view: View) -> Changes | None:
    """Use He's scale, for functions that are 0 below 0."""
    return _initializer(view, "he_normal")


@patch
def xavier_uniform(view: View) -> Changes | None:
    """Use Xavier's scale, for bounded functions."""
    return _initializer(view, "xavier_uniform")


@patch
def fitting_initializer(view: View) -> Changes | None:
    """Use the scale that is derived for the activation function."""
    functions = {layer.function for r in view.readings[:1] for layer in r.activations}
    return _initializer(view, "xavier_uniform" if functions & BOUNDED else "he_normal")


@patch
def small_head(view: View) -> Changes | None:
    """Begin with smaller weights in the last layer."""
    if _overrides(view) or view.spec.get("fine_tuning"):
        return None
    overrides = {"head.output*": {"name": "lecun_normal"}}
    return Changes({"/initializer/overrides": overrides}, "smaller weights in the last layer")


def _activation(view: View, name: str) -> dict[str, Any] | None:
    architecture = view.spec["architecture"]
    parameter = architectures.get(architecture["name"]).facts.get("activation_parameter")
    if parameter is None or architecture.get(parameter) == name or _has_trained_weights(view):
        return None
    return {f"/architecture/{parameter}": name}


@patch
def relu(view: View) -> Changes | None:
    """Use relu with He's initializer: neither of them alone repairs a deep sigmoid network."""
    changes = _activation(view, "relu")
    if changes is None:
        return None
    changes["/initializer"] = {"name": "he_normal", "overrides": _overrides(view)}
    return Changes(changes, "relu with he_normal, whose gradient keeps its scale")


@patch
def leaky_relu(view: View) -> Changes | None:
    """Use a function whose units cannot die."""
    changes = _activation(view, "leaky_relu")
    return None if changes is None else Changes(changes, "leaky_relu, whose units cannot die")


@patch
def batch_norm(view: View) -> Changes | None:
    """Normalize each layer over the batch, from weights of the scale that fits.

    Batch norm alone repairs few networks with weights that are far too large or too small.
    """
    is_set = any(
        SWITCH in regularizers.get(name).facts.get("sets", ()) for name in view.spec["regularizers"]
    )
    if view.spec["architecture"].get(SWITCH) is not False or is_set or view.stage.batch_size < 2:
        return None
    scale = fitting_initializer(view)
    expects = "batch norm, which rescales every layer"
    if scale is None:
        return Changes({f"/architecture/{SWITCH}": True}, expects)
    values = {f"/architecture/{SWITCH}": True, **scale.values}
    return Changes(values, f"{expects}, with the initializer {values['/initializer']['name']}")


@patch
def momentum_of_statistics(view: View) -> Changes | None:
    """Let the running statistics follow the weights faster."""
    if view.spec["architecture"].get("batch_norm_momentum", 0.0) <= 0.9:
        return None
    expects = "running statistics that follow the weights"
    return Changes({"/architecture/batch_norm_momentum": 0.9}, expects)


@patch
def wider(view: View) -> Changes | None:
    """Give every hidden layer at least 128 units."""
    units = view.spec["architecture"].get("hidden_units")
    if not units:
        return None
    wide = [max(WIDE, width) for width in units]
    return Changes({"/architecture/hidden_units": wide}, f"hidden layers of {WIDE} units or more")


@patch
def four_times_wider(view: View) -> Changes | None:
    """Make every hidden layer four times as wide."""
    units = view.spec["architecture"].get("hidden_units")
    if not units or max(units) > MAX_WIDTH:
        return None
    wide = [4 * width for width in units]
    return Changes({"/architecture/hidden_units": wide}, "hidden layers four times as wide")
