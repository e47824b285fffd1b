"""Specifications with a fault, the rules that must and may find it, and healthy specifications."""

from dataclasses import dataclass
from typing import Any

from worker.diagnostics.demos import mlp, on_digits

Spec = dict[str, Any]
#: What follows from many faults.
COMMON = (
    *("weight_update_ratio", "loss_not_decreasing", "input_not_connected", "activation_scale"),
    *("prediction_collapse", "vanishing_gradient", "underfit", "stopped_too_early"),
    *("frozen_or_unused",),
)


@dataclass(frozen=True)
class Fault:
    """A specification that cannot train well, and what must be found."""

    spec: Spec
    #: The rule that names the root.
    root: str
    #: Further rules that may find something.
    may: tuple[str, ...] = ()
    #: The healthy case with the accuracy that a patch should restore; else the median of the data
    #: set's healthy cases.
    twin: str | None = None


def _sgd(learning_rate: float, **fields: Any) -> Spec:
    return {"name": "sgd", "learning_rate": learning_rate, **fields}


def _normal(scale: float) -> Spec:
    return {"name": "normal", "scale": scale}


FAULTS: dict[str, Fault] = {
    "F01": Fault(
        on_digits(architecture=mlp(10, 64, activation="sigmoid"), initializer=_normal(0.05)),
        "vanishing_gradient",
        ("poor_weight_initialization",),
    ),
    "F02": Fault(on_digits(initializer="zeros"), "symmetric_initialization", ("dead_relu",)),
    "F03": Fault(
        on_digits(architecture=mlp(3), initializer=_normal(1.0)),
        "poor_weight_initialization",
        ("initial_loss", "learning_rate_too_high", "dead_relu", "exploding_tensor"),
    ),
    "F04": Fault(
        on_digits(architecture=mlp(10, 64), initializer=_normal(0.05)),
        "poor_weight_initialization",
        ("dead_relu",),
    ),
    "F05": Fault(
        on_digits(architecture=mlp(10, 64, activation="tanh"), initializer=_normal(1.0)),
        "saturated_activation",
        ("initial_loss", "exploding_gradient", "poor_weight_initialization"),
    ),
    "F06": Fault(
        on_digits(architecture=mlp(5, 64), optimizer=_sgd(1.0)),
        "learning_rate_too_high",
        ("exploding_tensor", "dead_relu"),
    ),
    "F07": Fault(
        on_digits(optimizer=_sgd(10.0)),
        "learning_rate_too_high",
        ("dead_relu", "oscillating_loss", "exploding_tensor"),
    ),
    "F08": Fault(on_digits(optimizer=_sgd(1e-6)), "learning_rate_too_low"),
    "F09": Fault(
        on_digits(architecture=mlp(3), optimizer={"name": "adam", "learning_rate": 0.1}),
        "learning_rate_too_high",
        ("dead_relu",),
    ),
    "F10": Fault(
        on_digits(dataset={"name": "digits", "normalization": "none"}),
        "input_scale",
        ("initial_loss", "learning_rate_too_high", "dead_relu"),
    ),
    "F11": Fault(on_digits(regularizers={"l2": 1.0}), "regularization_overwhelms", ("dead_relu",)),
    "F12": Fault(on_digits(architecture=mlp(dropout=0.95)), "too_much_regularization"),
    "F13": Fault(on_digits(architecture=mlp(1, 1)), "bottleneck", ("dead_relu",)),
    # Not in the published list: the same kinds of fault in other clothes.
    "F29": Fault(
        on_digits(architecture=mlp(8, 32, activation="tanh"), initializer=_normal(0.01)),
        "poor_weight_initialization",
    ),
    "F30": Fault(
        on_digits(optimizer={"name": "rmsprop", "learning_rate": 1e-7}), "learning_rate_too_low"
    ),
    "F31": Fault(
        on_digits(architecture=mlp(2, 64, activation="sigmoid"), initializer=_normal(5.0)),
        "saturated_activation",
        ("initial_loss", "poor_weight_initialization", "exploding_gradient"),
    ),
}

HEALTHY: dict[str, Spec] = {
    "H01": on_digits(architecture="linear"),
    "H02": on_digits(),
    "H03": on_digits(architecture=mlp(2, activation="tanh"), initializer="xavier_uniform"),
    "H04": on_digits(
        architecture=mlp(activation="sigmoid"), initializer="xavier_uniform", optimizer=_sgd(0.1)
    ),
    "H05": on_digits(architecture=mlp(10, 64)),
    "H06": on_digits(
        architecture=mlp(3, batch_norm=True), optimizer={"name": "adam", "learning_rate": 0.001}
    ),
    "H07": on_digits(architecture=mlp(dropout=0.5)),
    "H08": on_digits(regularizers={"label_smoothing": 0.1}),
    "H09": on_digits(regularizers={"mixup": 0.2}),
    "H10": on_digits(
        optimizer={
            "name": "adam",
            "learning_rate": 0.001,
            "schedule": {"name": "cosine", "warmup": 40},
        }
    ),
    "H11": on_digits(
        dataset={"name": "digits", "image_size": 16},
        architecture="vgg_small",
        optimizer={"name": "adam", "learning_rate": 0.001},
    ),
    "H12": on_digits(
        dataset={"name": "digits", "image_size": 16},
        architecture={"name": "vgg_small", "activation": "relu", "batch_norm": False},
    ),
    # Not in the published list.
    "H17": on_digits(architecture=mlp(4, 64, activation="gelu")),
    "H18": on_digits(optimizer={"name": "adagrad", "learning_rate": 0.02}),
    "H19": on_digits(optimizer={"name": "sgd", "learning_rate": 0.01, "nesterov": True}),
}
