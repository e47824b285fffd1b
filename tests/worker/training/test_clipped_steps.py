"""The optimizer takes the clipped gradient of the whole objective, penalties included."""

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.worker.experiments import data, experiment
from worker.training.fit import fit

RATE, BOUND = 0.5, 1e-2
#: So strong that the bounds would be exceeded if its gradient were added after clipping.
L2 = {"l2": {"weight": 0.1}}


def _moves(clipping: dict[str, float] | None) -> dict[str, Tensor]:
    """Return how far one step of gradient descent moves each tensor, over the learning rate."""
    optimizer: dict[str, Any] = {"name": "sgd", "learning_rate": RATE, "momentum": 0.0}
    if clipping is not None:
        optimizer["gradient_clipping"] = clipping
    training = experiment(
        bundle=data(train=8), regularizers=L2, optimizer=optimizer, training={"epochs": 1}
    )
    before = {name: p.detach().clone() for name, p in training.model.named_parameters()}
    list(fit(training))
    return {
        name: (before[name] - p.detach()) / RATE for name, p in training.model.named_parameters()
    }


def _flat(moves: dict[str, Tensor]) -> Tensor:
    return torch.cat([move.flatten() for move in moves.values()])


def test_global_norm_bounds_the_step_and_keeps_its_direction() -> None:
    plain, clipped = _flat(_moves(None)), _flat(_moves({"global_norm": BOUND}))
    assert plain.norm() > 2 * BOUND
    assert clipped.norm().item() == pytest.approx(BOUND, rel=1e-3)
    assert torch.allclose(clipped, plain * BOUND / plain.norm(), atol=1e-6)


def test_value_bounds_each_component_of_the_step() -> None:
    plain, clipped = _flat(_moves(None)), _flat(_moves({"value": BOUND}))
    assert plain.abs().max() > 2 * BOUND
    assert clipped.abs().max().item() == pytest.approx(BOUND, rel=1e-3)
    assert torch.allclose(clipped, plain.clamp(-BOUND, BOUND), atol=1e-6)


def test_norm_bounds_the_step_of_each_tensor() -> None:
    plain, clipped = _moves(None), _moves({"norm": BOUND})
    for name, move in plain.items():
        assert move.norm() > 2 * BOUND, name
        assert clipped[name].norm().item() == pytest.approx(BOUND, rel=1e-3), name
