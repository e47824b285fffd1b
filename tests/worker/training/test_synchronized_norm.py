"""Batch norm over the batch of all ranks, in every network of the catalogue."""

import copy

import pytest
import torch
from torch import Tensor, nn

from tests.worker.architectures.test_zoo import CHEAP, ZOO, smallest
from worker.registry import architectures
from worker.training import ranks
from worker.training.ranks import Ranks
from worker.training.synchronized_norm import synchronized

SAMPLES = 4
NAMES = [name if name in CHEAP else pytest.param(name, marks=pytest.mark.zoo) for name in ZOO]


@pytest.fixture
def two_ranks(monkeypatch: pytest.MonkeyPatch) -> Ranks:
    """Return the first of two ranks; the second has the same samples."""
    monkeypatch.setattr(ranks, "_sum_in_place", lambda tensor: tensor.mul_(2))
    return Ranks(0, 2)


def trained_pass(model: nn.Module, images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the outputs in training mode, and the state afterwards."""
    torch.manual_seed(0)  # of dropout
    return model(images), {name: tensor.clone() for name, tensor in model.state_dict().items()}


@pytest.mark.parametrize("name", NAMES)
def test_ranks_compute_every_network_as_one_process(name: str, two_ranks: Ranks) -> None:
    torch.manual_seed(0)
    shape = smallest(name, 3)
    model = architectures.get(name).function(shape, 5).train()
    images = torch.randn(SAMPLES, *shape)
    expected, after = trained_pass(copy.deepcopy(model), images)
    with synchronized(two_ranks, repeats=2):
        outputs, state = trained_pass(model, images)
    assert_similar(outputs, expected)
    for tensor, value in after.items():
        assert_similar(state[tensor], value)


def assert_similar(ours: Tensor, expected: Tensor) -> None:
    """Compare norms: in a deep network, each norm over four samples enlarges the last bits."""
    difference = (ours.double() - expected.double()).norm()
    assert difference <= 0.1 * expected.double().norm() + 1e-3


def test_a_layer_that_computes_more_than_batch_norm_does_so(two_ranks: Ranks) -> None:
    """As the layers of the model library, in which an activation follows."""

    class Activated(nn.BatchNorm2d):
        def forward(self, input: Tensor) -> Tensor:  # noqa: A002
            return super().forward(input).relu()

    with synchronized(two_ranks):
        assert Activated(3)(torch.randn(4, 3, 2, 2)).min() == 0


@pytest.mark.parametrize("changes", [{"affine": False}, {"momentum": None}, {"eps": 0.1}])
def test_parameters_of_a_layer_count(changes: dict[str, float], two_ranks: Ranks) -> None:
    torch.manual_seed(0)
    layer = nn.BatchNorm1d(3, **changes)  # pyright: ignore[reportArgumentType]
    values = torch.randn(6, 3)
    for _ in range(2):
        expected, after = trained_pass(copy.deepcopy(layer), values)
        with synchronized(two_ranks, repeats=2):
            outputs, state = trained_pass(layer, values)
        torch.testing.assert_close(outputs, expected)
        torch.testing.assert_close(state, after)


def test_frozen_layers_use_their_statistics(two_ranks: Ranks) -> None:
    layer = nn.BatchNorm1d(3).eval()
    values = torch.randn(6, 3)
    with synchronized(two_ranks):
        assert torch.equal(layer(values), layer(values))
        torch.testing.assert_close(layer(values), values, rtol=1e-4, atol=1e-4)
