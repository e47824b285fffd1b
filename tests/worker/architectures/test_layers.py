"""Activations equal torch.nn.functional's, and the gain of he_glorot follows the activation."""

from math import sqrt
from typing import Any, get_args

import pytest
import torch
from torch.nn import functional

from tests.worker.experiments import experiment
from worker.architectures.layers import ACTIVATIONS, Activation

NAMES = get_args(Activation)
GAINS = {"sigmoid": 1.0, "tanh": 4.0}


def test_seven_activations_are_available() -> None:
    expected = {"sigmoid", "tanh", "relu", "elu", "leaky_relu", "gelu", "silu"}
    assert set(NAMES) == set(ACTIVATIONS) == expected


@pytest.mark.parametrize("name", NAMES)
def test_hidden_layer_has_the_requested_activation(name: str) -> None:
    mlp: Any = experiment(architecture={"name": "mlp", "activation": name}).model
    images = 3 * torch.randn(16, 3, 8, 8)
    hidden = getattr(functional, name)(mlp.body.hidden1(images.flatten(1)))
    with torch.no_grad():
        assert torch.allclose(mlp(images), mlp.head(hidden), atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_gain_of_he_glorot_is_the_same_for_all_layers(name: str) -> None:
    """The last layer has the same gain, although no activation follows it."""
    architecture = {"name": "mlp", "activation": name, "hidden_units": [300, 400]}
    model = experiment(architecture=architecture, initializer="he_glorot").model
    weights = [p for p in model.parameters() if p.ndim == 2]
    assert len(weights) == 3
    for weight in weights:
        expected = GAINS.get(name, sqrt(2)) * sqrt(2 / sum(weight.shape))
        assert weight.std().item() == pytest.approx(expected, rel=0.06)
