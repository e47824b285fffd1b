"""L1 and L2 apply to weights, not to biases or scales of batch norm."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from tests.worker.experiments import experiment, vgg
from worker.training.penalties import Penalties

STRENGTH = 0.25
Rule = Callable[[Tensor], Tensor]
#: Value and gradient over the strength.
RULES: dict[str, tuple[Rule, Rule]] = {
    "l1": (torch.abs, torch.sign),
    "l2": (torch.square, lambda weight: 2 * weight),
}


@pytest.mark.parametrize("name", RULES)
def test_biases_and_scales_of_1_change_neither_value_nor_gradient(name: str) -> None:
    training = experiment(architecture=vgg(), regularizers={name: {"weight": STRENGTH}})
    value, gradient = RULES[name]
    penalized, others = [], []
    for layer in training.model.modules():
        for key, parameter in layer.named_parameters(recurse=False):
            is_weight = key == "weight" and isinstance(layer, nn.Conv2d | nn.Linear)
            (penalized if is_weight else others).append(parameter)
            parameter.grad = torch.zeros_like(parameter)
    for parameter in others:
        nn.init.ones_(parameter)
    assert len(penalized) == 6
    assert len(others) == 16, "six biases, and batch norm's five scales and five shifts"

    penalties = Penalties(training.model, training.regularizers)
    penalties.add_gradients()

    found = penalties.value()
    assert found is not None
    expected = STRENGTH * sum(value(weight.detach()).sum().item() for weight in penalized)
    assert found.item() == pytest.approx(expected, rel=1e-5)
    for weight in penalized:
        assert weight.grad is not None
        assert torch.allclose(weight.grad, STRENGTH * gradient(weight.detach()))
    for parameter in others:
        assert parameter.grad is not None
        assert not parameter.grad.any()
