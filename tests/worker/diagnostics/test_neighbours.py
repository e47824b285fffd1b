"""Healthy and faulty trainings on which no threshold was chosen at first."""

from typing import Any

import pytest

from benchmarks.diagnostics.neighbours import NEIGHBOUR_FAULTS
from benchmarks.diagnostics.runs import run
from worker.diagnostics.demos import mlp, on_digits

ANGLES = {"name": "digits", "target": "rotation"}
HEALTHY: dict[str, dict[str, Any]] = {
    "regression": on_digits(
        dataset=ANGLES,
        loss="l2",
        architecture={"name": "mlp", "hidden_units": [16, 10], "activation": "leaky_relu"},
        optimizer={"name": "adam", "learning_rate": 0.003},
        seed=1,
    ),
    "regression with batch norm": on_digits(
        dataset=ANGLES,
        loss="l2",
        architecture=mlp(2, 32, activation="tanh", batch_norm=True),
        initializer="xavier_uniform",
        optimizer={"name": "sgd", "learning_rate": 0.03},
        seed=2,
    ),
    "large first steps": on_digits(
        dataset={"name": "digits", "normalization": "unit"},
        architecture=mlp(1, 100),
        optimizer={"name": "adagrad", "learning_rate": 0.03, "schedule": "exponential"},
        loss="hinge",
        training={"batch_size": 64},
        seed=2,
    ),
    "orthogonal weights": on_digits(
        dataset={"name": "digits", "train": 600},
        architecture={"name": "mlp", "hidden_units": [192, 128, 256], "activation": "gelu"},
        initializer="orthogonal",
        optimizer={"name": "sgd", "learning_rate": 0.03, "nesterov": True},
        training={"batch_size": 16},
        seed=1,
    ),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_training_has_no_error_and_no_warning(name: str) -> None:
    found = run(HEALTHY[name])
    assert found.rules("error", "warning") == [], found.headline


@pytest.mark.parametrize("name", ["F32", "F33", "F34", "F35"])
def test_a_fault_of_a_regression_or_a_convolution_is_named_first(name: str) -> None:
    fault = NEIGHBOUR_FAULTS[name]
    assert run({**fault.spec, "seed": 0}).roots[:1] == [fault.root]
