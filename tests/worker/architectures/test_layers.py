"""Activations of a built network against torch.nn.functional, and the gain that goes by them."""

from math import sqrt
from typing import Any, get_args

import pytest
import torch
from torch.nn import functional

from tests.worker.experiments import experiment
from worker.architectures.layers import ACTIVATIONS, Activation

NAMES = get_args(Activation)
GAINS = {"sigmoid": 1.0, "tanh": 4.0}


def test_there_are_the_seven() -> None:
    seven = {"sigmoid", "tanh", "relu", "elu", "leaky_relu", "gelu", "silu"}
    assert set(NAMES) == set(ACTIVATIONS) == seven


@pytest.mark.parametrize("name", NAMES)
def test_a_hidden_layer_s_is_the_one_of_its_name(name: str) -> None:
    mlp: Any = experiment(architecture={"name": "mlp", "activation": name}).model
    images = 3 * torch.randn(16, 3, 8, 8)
    hidden = getattr(functional, name)(mlp.body.hidden1(images.flatten(1)))
    with torch.no_grad():
        assert torch.allclose(mlp(images), mlp.head(hidden), atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_he_glorot_has_one_gain_for_the_whole_network(name: str) -> None:
    """By what hides in it: the last layer, which no activation follows, has the same."""
    architecture = {"name": "mlp", "activation": name, "hidden_units": [300, 400]}
    model = experiment(architecture=architecture, initializer="he_glorot").model
    found = [p for p in model.parameters() if p.ndim == 2]
    assert len(found) == 3
    for weight in found:
        expected = GAINS.get(name, sqrt(2)) * sqrt(2 / sum(weight.shape))
        assert weight.std().item() == pytest.approx(expected, rel=0.06)
