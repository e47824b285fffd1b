"""Cases that are not in the published list: regression, convolution, transfer, other optimizers.

They were invented, and their thresholds judged, on seeds 0 to 2.
"""

from typing import Any

from benchmarks.diagnostics.cases import Fault, Spec
from benchmarks.diagnostics.further_cases import transfer
from worker.diagnostics.demos import mlp, on_digits


def _on_angles(**parts: Any) -> Spec:
    """Return the regression of the angle by which each digit is turned."""
    dataset = {"name": "digits", "target": "rotation", **parts.pop("dataset", {})}
    return on_digits(dataset=dataset, **{"loss": "l2", **parts})


def _conv(optimizer: Spec, *, dataset: Spec | None = None, **parameters: Any) -> Spec:
    """Return a small convolutional network on digits of 16 pixels."""
    architecture = {"name": "vgg_small", "widths": [16, 32], **parameters}
    size = {"name": "digits", "image_size": 16, **(dataset or {})}
    return on_digits(dataset=size, architecture=architecture, optimizer=optimizer)


def _head(train: int, learning_rate: float) -> Spec:
    """Return a new head on an EfficientNet-Lite0 with weights of ImageNet, for digits."""
    optimizer = {"name": "adam", "learning_rate": learning_rate}
    stage = {"name": "head", "train": "head", "epochs": 3, "optimizer": optimizer}
    return transfer({"name": "digits", "train": train, "image_size": 64, "channels": 3}, stage)


NEIGHBOUR_FAULTS: dict[str, Fault] = {
    "F32": Fault(
        _on_angles(architecture=mlp(2, 64), optimizer={"name": "sgd", "learning_rate": 5.0}),
        "learning_rate_too_high",
        ("exploding_tensor", "dead_relu"),
    ),
    "F33": Fault(
        _on_angles(architecture=mlp(2, 64), initializer="zeros"),
        "symmetric_initialization",
        ("dead_relu",),
    ),
    "F34": Fault(
        _conv({"name": "sgd", "learning_rate": 3.0}, batch_norm=False, activation="relu"),
        "learning_rate_too_high",
        ("exploding_tensor", "dead_relu"),
    ),
    "F35": Fault(
        _conv(
            {"name": "sgd", "learning_rate": 0.01},
            dataset={"normalization": "none"},
            batch_norm=False,
            activation="relu",
        ),
        "input_scale",
        ("initial_loss", "learning_rate_too_high", "dead_relu", "exploding_tensor"),
    ),
    "F36": Fault(_head(400, 1e-7), "learning_rate_too_low", twin="H25"),
    "F37": Fault(
        on_digits(
            architecture=mlp(2, 100),
            optimizer={"name": "adam", "learning_rate": 0.001},
            regularizers={"l1": 0.1},
        ),
        "regularization_overwhelms",
        ("dead_relu",),
    ),
}

NEIGHBOUR_HEALTHY: dict[str, Spec] = {
    "H22": _on_angles(
        architecture=mlp(2, 64),
        optimizer={"name": "adam", "learning_rate": 0.001},
        training={"epochs": 20},
    ),
    "H23": _on_angles(
        dataset={"image_size": 16},
        architecture={"name": "vgg_small", "widths": [16, 32], "dropout": 0, "head_dropout": 0},
        optimizer={"name": "rmsprop", "learning_rate": 0.001},
        loss="l1",
        training={"epochs": 10},
    ),
    "H24": _conv({"name": "adamw", "learning_rate": 0.001}, activation="leaky_relu"),
    "H25": _head(400, 0.002),
    "H26": on_digits(
        architecture={"name": "mlp", "hidden_units": [300, 100], "dropout": 0.3},
        optimizer={"name": "rmsprop", "learning_rate": 0.001, "schedule": "exponential"},
        regularizers={"l2": 0.0001},
        training={"epochs": 10},
    ),
    "H27": on_digits(
        architecture=mlp(1, 64),
        optimizer={
            "name": "sgd",
            "learning_rate": 0.05,
            "nesterov": True,
            "schedule": "one_cycle",
        },
        loss="hinge",
        training={"epochs": 10, "batch_size": 100},
    ),
}
