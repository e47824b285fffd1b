"""Backpropagation against differences of the loss, in float64.

Source: Goodfellow, Bengio & Courville 2016, section 11.5 (comparison with numerical derivatives).
"""

import copy
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from worker.diagnostics.on_demand import GradientCheck
from worker.runner.diagnosis.short_training import sample_of, unchanged_generators
from worker.training.experiment import Experiment, Split
from worker.training.penalties import Penalties
from worker.training.seed import derive

SAMPLES, DIRECTIONS = 8, 5
STEP = 1e-6
#: At a kink of relu both sides differ, so that a direction is drawn again.
REDRAWS = 3
GOOD = 1e-5
#: Smaller derivatives, over the loss, are lost in rounding.
SMALLEST = 1e-4


def gradient_check(experiment: Experiment, weights: Mapping[str, Tensor]) -> GradientCheck:
    """Return the errors of the gradient of the loss and the penalties in random directions.

    Args:
        experiment: the job's; it is not changed.
        weights: the initial weights and buffers.
    """
    train = experiment.splits.train
    order_N = sample_of(experiment, "gradient check", SAMPLES)
    sample = Split(train.images[order_N], train.labels[order_N], train.indices[order_N])
    images_NCHW, targets_N = experiment.on_device(sample).batch(slice(None))
    if targets_N.is_floating_point():
        targets_N = targets_N.double()
    with unchanged_generators(experiment.device):
        model = copy.deepcopy(experiment.model)
        model.load_state_dict(dict(weights))
        model.double().eval()
        checked = replace(experiment, model=model)
        return _check(checked, model, images_NCHW.double(), targets_N)


def _check(
    experiment: Experiment, model: nn.Module, images_NCHW: Tensor, targets_N: Tensor
) -> GradientCheck:
    tensors = [p for p in model.parameters() if p.requires_grad]
    penalties = Penalties(model, experiment.regularizers)

    def objective() -> Tensor:
        return experiment.loss(model(images_NCHW), targets_N)

    @torch.no_grad()
    def value() -> float:
        return objective().item() + penalties.number()

    with torch.enable_grad():
        model.zero_grad()
        objective().backward()
    penalties.add_gradients()
    gradients = [torch.zeros_like(t) if t.grad is None else t.grad.clone() for t in tensors]
    generator = torch.Generator().manual_seed(derive(experiment.seed, "diagnostics", "directions"))
    smallest = SMALLEST * max(abs(value()), 1e-3)
    errors: list[float] = []
    for _ in range(DIRECTIONS):
        found: list[float] = []
        while len(found) < REDRAWS and (not found or found[-1] > GOOD):
            direction = [_unit(t, generator) for t in tensors]
            expected = sum((g * d).sum().item() for g, d in zip(gradients, direction, strict=True))
            _move(tensors, direction, STEP)
            above = value()
            _move(tensors, direction, -2 * STEP)
            below = value()
            _move(tensors, direction, STEP)
            measured = (above - below) / (2 * STEP)
            scale = max(abs(expected), abs(measured), smallest)
            found.append(abs(expected - measured) / scale)
        errors.append(min(found))
    return GradientCheck(errors=tuple(errors), samples=len(targets_N))


def _unit(tensor: Tensor, generator: torch.Generator) -> Tensor:
    """Return a random direction of a tensor, of length 1, so that every layer counts."""
    drawn = torch.randn(tensor.shape, generator=generator, dtype=torch.float64)
    return (drawn / drawn.norm()).to(tensor.device)


@torch.no_grad()
def _move(tensors: list[nn.Parameter], direction: list[Tensor], size: float) -> None:
    for tensor, part in zip(tensors, direction, strict=True):
        tensor.add_(part, alpha=size)
