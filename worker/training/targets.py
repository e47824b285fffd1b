"""The scale of a regression's targets: the network learns them centred and scaled.

Losses are computed on the scaled targets, so that learning rates and penalties mean the same for
any unit; errors and predictions are reported in the target's own unit. Axes: N samples.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from worker.training.deviation import deviation_of


@dataclass(frozen=True)
class TargetScale:
    """(target − mean)/deviation. The default leaves targets as they are."""

    mean: float = 0.0
    deviation: float = 1.0

    def scaled(self, targets_N: Tensor) -> Tensor:
        """Return what the network is trained to predict, float32; computed in float64."""
        return ((targets_N.double() - self.mean) / self.deviation).float()

    def unscaled(self, outputs_N: Tensor) -> Tensor:
        """Return predictions in the target's own unit, float64."""
        return outputs_N.double() * self.deviation + self.mean


def scale_of(kind: Literal["standardize", "none"] | None, train_N: Tensor) -> TargetScale:
    """Return the scale of a job's targets.

    Args:
        kind: `standardize` for the mean and standard deviation of the training split; equal
            targets are centred only.
        train_N: the targets of the training split.
    """
    if kind != "standardize":
        return TargetScale()
    exact_N = train_N.to(torch.float64)
    return TargetScale(exact_N.mean().item(), deviation_of(exact_N).item())
