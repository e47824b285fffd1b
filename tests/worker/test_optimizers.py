"""Optimizers against their formulas, written out."""

from math import sqrt

import pytest
import torch
from torch import nn

from worker.registry import optimizers

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


@pytest.mark.parametrize("name", list(optimizers.entries()))
def test_the_slots_in_the_catalogue_are_what_it_keeps(name: str) -> None:
    weight = nn.Parameter(torch.randn(3, 4))
    entry = optimizers.get(name)
    optimizer = entry.function([weight], 0.1)
    weight.grad = torch.randn(3, 4)
    optimizer.step()
    kept = [v for v in optimizer.state[weight].values() if v.shape == weight.shape]
    assert len(kept) == entry.facts["state_slots"]


@pytest.mark.parametrize("name", list(optimizers.entries()))
def test_the_fused_step_respects_memory_layout(name: str) -> None:
    """The same numbers in channels-last and in the default order take the same steps."""
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
