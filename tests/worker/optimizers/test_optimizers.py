"""Optimizers follow their formulas."""

from functools import partial
from math import sqrt
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.worker.experiments import experiment, vgg
from worker.registry import optimizers
from worker.training.memory import Update, measure_optimizer
from worker.training.parameters import weights

GRADIENTS = [0.5, -1.0, 2.0]


def _after(name: str, learning_rate: float, **parameters: object) -> list[float]:
    weight = nn.Parameter(torch.tensor([1.0]))
    optimizer = optimizers.get(name).function([weight], learning_rate, **parameters)
    path = []
    for gradient in GRADIENTS:
        weight.grad = torch.tensor([gradient])
        optimizer.step()
        path.append(weight.item())
    return path


@pytest.mark.parametrize(
    ("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.9, True), (0.0, True)]
)
def test_sgd_follows_its_formula(momentum: float, nesterov: bool) -> None:
    weight, velocity, expected = 1.0, 0.0, []
    for gradient in GRADIENTS:
        velocity = momentum * velocity + gradient
        weight -= 0.1 * (gradient + momentum * velocity if nesterov else velocity)
        expected.append(weight)
    ours = _after("sgd", 0.1, momentum=momentum, nesterov=nesterov)
    assert ours == pytest.approx(expected, rel=1e-6)


def test_adam_follows_its_formula() -> None:
    weight, mean, square, expected = 1.0, 0.0, 0.0, []
    for update, gradient in enumerate(GRADIENTS, start=1):
        mean = 0.8 * mean + 0.2 * gradient
        square = 0.99 * square + 0.01 * gradient**2
        corrected = mean / (1 - 0.8**update), square / (1 - 0.99**update)
        weight -= 0.1 * corrected[0] / (sqrt(corrected[1]) + 1e-3)
        expected.append(weight)
    ours = _after("adam", 0.1, beta1=0.8, beta2=0.99, epsilon=1e-3)
    assert ours == pytest.approx(expected, rel=1e-5)


def test_adagrad_follows_its_formula() -> None:
    weight, squares, expected = 1.0, 0.0, []
    for gradient in GRADIENTS:
        squares += gradient**2
        weight -= 0.1 * gradient / (sqrt(squares) + 1e-3)
        expected.append(weight)
    assert _after("adagrad", 0.1, epsilon=1e-3) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("momentum", [0.0, 0.7])
def test_rmsprop_follows_its_formula(momentum: float) -> None:
    weight, square, velocity, expected = 1.0, 0.0, 0.0, []
    for gradient in GRADIENTS:
        square = 0.9 * square + 0.1 * gradient**2
        velocity = momentum * velocity + gradient / (sqrt(square) + 1e-3)
        weight -= 0.1 * velocity
        expected.append(weight)
    ours = _after("rmsprop", 0.1, momentum=momentum, epsilon=1e-3)
    assert ours == pytest.approx(expected, rel=1e-6)


def test_adamw_decays_weights_separately_and_does_not_decay_biases() -> None:
    gradients = np.random.default_rng(0).normal(size=(4, 2, 3))
    layer = nn.Linear(3, 2)
    weight, bias = (tensor.detach().double().numpy().copy() for tensor in layer.parameters())
    optimizer = optimizers.get("adamw").function(layer.parameters(), 0.1, weight_decay=0.5)
    optimizer.param_groups[0]["lr"] = optimizer.param_groups[1]["lr"] = 0.05  # as a schedule does
    mean, square = np.zeros((2, 4)), np.zeros((2, 4))
    for update, gradient in enumerate(gradients, start=1):
        layer.weight.grad = torch.tensor(gradient).float()
        layer.bias.grad = layer.weight.grad.sum(1)
        both = np.concatenate([gradient, gradient.sum(1, keepdims=True)], axis=1)
        mean = 0.9 * mean + 0.1 * both
        square = 0.999 * square + 0.001 * both**2
        root = np.sqrt(square / (1 - 0.999**update)) + 1e-8
        move = 0.05 * mean / (1 - 0.9**update) / root
        weight = weight - 0.05 * 0.5 * weight - move[:, :3]
        bias = bias - move[:, 3]
        optimizer.step()
    assert layer.weight.detach().numpy() == pytest.approx(weight, rel=1e-5, abs=1e-6)
    assert layer.bias.detach().numpy() == pytest.approx(bias, rel=1e-5, abs=1e-6)


def test_adamw_decays_the_weights_that_penalties_apply_to() -> None:
    model = experiment(architecture=vgg()).model
    optimizer = optimizers.get("adamw").function(model.parameters(), 0.1)
    decayed = {id(tensor) for tensor in optimizer.param_groups[0]["params"]}
    assert decayed == {id(tensor) for tensor in weights(model).values()}
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.01, 0.0]


@pytest.mark.parametrize(
    ("name", "parameters", "expected"),
    [
        ("sgd", {}, Update(1, 0)),
        ("sgd", {"momentum": 0}, Update(0, 0)),
        ("adam", {}, Update(2, 0)),
        ("adamw", {}, Update(2, 0)),
        ("rmsprop", {}, Update(1, 1)),
        ("rmsprop", {"momentum": 0.9}, Update(2, 1)),
        ("adagrad", {}, Update(1, 2)),
    ],
)
def test_memory_of_an_optimizer_is_measured(
    name: str, parameters: dict[str, Any], expected: Update
) -> None:
    assert measure_optimizer(partial(optimizers.get(name).function, **parameters)) == expected


@pytest.mark.parametrize("name", list(optimizers.entries()))
def test_skipped_first_step_of_float16_has_no_effect(name: str) -> None:
    """Fused SGD in PyTorch would read uninitialized memory as momentum."""
    start, gradient = torch.randn(64, 64), torch.randn(64, 64)
    ends = []
    for is_skipped in (True, False):
        weight = nn.Parameter(start.clone())
        optimizer = optimizers.get(name).function([weight], 0.1)
        scaler = torch.amp.GradScaler("cpu", init_scale=1.0)
        scaler.scale(torch.zeros(()))
        for component in ([float("inf")] if is_skipped else []) + [1.0]:
            weight.grad = gradient * component
            scaler.unscale_(optimizer)
            scaler.step(optimizer)
            scaler.update(1.0)
        ends.append(weight.detach())
    assert torch.equal(*ends)


@pytest.mark.parametrize("name", list(optimizers.entries()))
def test_steps_do_not_depend_on_the_memory_layout(name: str) -> None:
    """Channels-last and default order give the same steps."""
    start = torch.randn(4, 3, 3, 3)
    gradient = torch.randn(4, 3, 3, 3)
    ends = []
    for layout in (torch.contiguous_format, torch.channels_last):
        weight = nn.Parameter(start.clone(memory_format=layout))
        optimizer = optimizers.get(name).function([weight], 0.1)
        for _ in range(2):
            weight.grad = gradient.clone(memory_format=layout)
            optimizer.step()
        ends.append(weight.detach())
    assert torch.allclose(ends[0], ends[1], rtol=1e-6)
