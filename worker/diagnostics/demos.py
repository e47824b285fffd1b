"""Specifications that show a fault in seconds, on the digits of scikit-learn."""

from typing import Any

EPOCHS = 6
#: Six samples of a class, which a network learns by heart.
FEW = {"name": "digits", "train": 60}


def on_digits(**parts: Any) -> dict[str, Any]:
    """Return a small fully connected network on digits, with other parts."""
    base: dict[str, Any] = {"dataset": {"name": "digits"}, "architecture": {"name": "mlp"}}
    training = {"epochs": EPOCHS, **parts.pop("training", {})}
    return {**base, **parts, "training": training}


def mlp(depth: int = 1, width: int = 128, **parameters: Any) -> dict[str, Any]:
    """Return a fully connected network with hidden layers of one width."""
    return {"name": "mlp", "hidden_units": [width] * depth, **parameters}
