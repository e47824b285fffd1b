"""The default rules of Amazon SageMaker Debugger, written from their published definitions.

They judge the same runs. Their defaults: a loss must decrease by 0.1 % within 10 steps; the
validation loss may exceed the training loss by a tenth; a mean gradient below 1e-7 vanishes; the
ratio of an update to its weight lies between 1e-8 and 10; at most half of a layer's units is dead.
"""

import math

import torch
from torch import Tensor, nn

from worker.training.reports import EpochEnded, Report, Stepped

LOSS_STEPS, LOSS_DECREASE = 10, 0.001
VANISHING = 1e-7
RATIO_BOUNDS = (1e-8, 10.0)
OVERFIT_RATIO = 0.1
DEAD_SHARE = 0.5


class DefaultRules:
    """Watches the steps of a training in this process, as tensors saved at every step show it."""

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        #: The rules that fired.
        self.fired: set[str] = set()
        self._losses: list[float] = []
        self._before = self._weights()

    def observe(self, report: Report) -> None:
        """Judge what a report shows."""
        if isinstance(report, Stepped):
            self._judge_step([value.data_loss for value in report.values])
        elif isinstance(report, EpochEnded):
            losses = report.metrics["train_data_loss"], report.metrics["val_data_loss"]
            if losses[1] > losses[0] * (1 + OVERFIT_RATIO):
                self.fired.add("overfit")

    def _judge_step(self, losses: list[float]) -> None:
        """Judge a step, with the training losses that were read since the last."""
        self._losses += losses
        if not all(map(math.isfinite, losses)):
            self.fired.add("exploding_tensor")
        weights = self._weights()
        for name, weight in weights.items():
            old = self._before.get(name)
            if old is None:  # the first step of a stage that trains it
                continue
            ratio = float((weight - old).norm() / max(float(old.norm()), 1e-12))
            if not RATIO_BOUNDS[0] <= ratio <= RATIO_BOUNDS[1]:
                self.fired.add("weight_update_ratio")
            gradient = self._model.get_parameter(name).grad
            if gradient is not None and float(gradient.abs().mean()) < VANISHING:
                self.fired.add("vanishing_gradient")
            # No gradient reaches a dead unit.
            if gradient is not None and _share_of_zero_rows(gradient) > DEAD_SHARE:
                self.fired.add("dead_relu")
        self._before = weights
        recent = self._losses[-LOSS_STEPS - 1 :]
        if len(recent) > LOSS_STEPS and min(recent[1:]) > recent[0] * (1 - LOSS_DECREASE):
            self.fired.add("loss_not_decreasing")

    def _weights(self) -> dict[str, Tensor]:
        parameters = self._model.named_parameters()
        with torch.no_grad():
            return {n: p.detach().clone() for n, p in parameters if p.requires_grad and p.ndim > 1}


def _share_of_zero_rows(gradient: Tensor) -> float:
    return float((gradient.flatten(1).abs().sum(1) == 0).float().mean())
