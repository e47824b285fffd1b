"""Properties of every registered loss. Axes: N samples, M outputs."""

import pytest
import torch
from torch import Tensor

from worker.registry import Entry, losses

SAMPLES, CLASSES = 12, 5


def _inputs(entry: Entry) -> tuple[Tensor, Tensor]:
    """Outputs and targets that fit the facts of the loss."""
    generator = torch.Generator().manual_seed(3)
    if entry.facts.get("target") == "number":
        outputs = torch.randn(SAMPLES, 1, dtype=torch.float64, generator=generator)
        return outputs, torch.linspace(-2, 2, SAMPLES, dtype=torch.float64)
    classes = entry.facts.get("classes", CLASSES)
    outputs = torch.randn(SAMPLES, classes, dtype=torch.float64, generator=generator)
    return outputs, torch.arange(SAMPLES) % classes


def _value(entry: Entry, outputs_NM: Tensor, targets_N: Tensor) -> Tensor:
    return entry.function(outputs_NM, targets_N, **entry.defaults)


@pytest.mark.parametrize("name", list(losses.entries()))
class TestEveryLoss:
    def test_value_is_a_finite_scalar_with_a_finite_gradient(self, name: str) -> None:
        outputs_NM, targets_N = _inputs(losses.get(name))
        value = _value(losses.get(name), outputs_NM.requires_grad_(), targets_N)
        assert value.shape == ()
        assert value.item() > 0
        assert value.isfinite()
        (gradient_NM,) = torch.autograd.grad(value, outputs_NM)
        assert gradient_NM.isfinite().all()
        assert gradient_NM.any()

    def test_loss_of_a_batch_is_the_mean_over_its_samples(self, name: str) -> None:
        entry = losses.get(name)
        outputs_NM, targets_N = _inputs(entry)
        singles = [
            _value(entry, outputs_NM[n : n + 1], targets_N[n : n + 1]) for n in range(SAMPLES)
        ]
        assert torch.allclose(_value(entry, outputs_NM, targets_N), torch.stack(singles).mean())

    def test_step_against_the_gradient_lowers_the_loss(self, name: str) -> None:
        entry = losses.get(name)
        outputs_NM, targets_N = _inputs(entry)
        value = _value(entry, outputs_NM.requires_grad_(), targets_N)
        (gradient_NM,) = torch.autograd.grad(value, outputs_NM)
        moved = _value(entry, (outputs_NM - 0.01 * gradient_NM).detach(), targets_N)
        assert moved < value
