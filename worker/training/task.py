"""The task of a network: to predict one of several classes, or a number.

A task measures the outputs of a step as *statistics* on the device, which add up over the steps of
an epoch; metrics are computed from the sums.
Axes: N samples, M outputs of the network, S steps, T statistics.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from worker.training.metrics import TaskName
from worker.training.topk import count_right, is_right, metric_name, rank


class Task(Protocol):
    """What is predicted, and how predictions are measured."""

    @property
    def name(self) -> TaskName:
        """The task, as metrics are declared for it."""
        ...

    @property
    def is_mixed(self) -> bool:
        """Whether training targets are mixtures of the targets of several samples."""
        ...

    @property
    def statistic_count(self) -> int:
        """The number of statistics of a step, T."""
        ...

    def statistics(self, outputs: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
        """Return the statistics of some steps: [S, T], or one row of sums where these are exact.

        Args:
            outputs: of each step, [N, M].
            targets: of each step, [N].
        """
        ...

    def metrics(self, sums: Sequence[float], samples: int) -> dict[str, float]:
        """Return the metrics of some samples, by their names without the split.

        Args:
            sums: the sum of each statistic, T numbers.
            samples: the number of samples that they are the sums of.
        """
        ...


@dataclass(frozen=True)
class Classification:
    """Predict one of several classes. The network has a score for each class."""

    #: The k of each top-k accuracy.
    ks: tuple[int, ...]
    is_mixed: bool = False

    @property
    def name(self) -> TaskName:
        """The task, as metrics are declared for it."""
        return "classification"

    @property
    def statistic_count(self) -> int:
        """One for each k."""
        return len(self.ks)

    def statistics(self, outputs: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
        """Return the number of samples that are right for each k, int64 [1, T].

        For k = 1 these are the samples whose label is the first class with the highest score.
        """
        outputs_NM, targets_N = torch.cat(list(outputs)), torch.cat(list(targets))
        right_K = list(count_right(rank(outputs_NM, targets_N), self.ks))
        if 1 in self.ks:
            right_K[self.ks.index(1)] = is_right(outputs_NM, targets_N).sum()
        return torch.stack(right_K)[None]

    def metrics(self, sums: Sequence[float], samples: int) -> dict[str, float]:
        """Return the top-k accuracies, as fractions."""
        return {metric_name(k): right / samples for k, right in zip(self.ks, sums, strict=True)}


@dataclass(frozen=True)
class Regression:
    """Predict a real number. The network has one output."""

    #: What an error of 1 in the network's output is in the target's own unit.
    deviation: float = 1.0

    @property
    def name(self) -> TaskName:
        """The task, as metrics are declared for it."""
        return "regression"

    @property
    def is_mixed(self) -> bool:
        """Whether training targets are mixtures; numbers are not mixed."""
        return False

    @property
    def statistic_count(self) -> int:
        """Σ|y − f| and Σ(y − f)²."""
        return 2

    def statistics(self, outputs: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
        """Return Σ|y − f| and Σ(y − f)² of each step, float64 [S, 2]."""
        errors = [f.squeeze(1).double() - y for f, y in zip(outputs, targets, strict=True)]
        return torch.stack([torch.stack((e.abs().sum(), e.square().sum())) for e in errors])

    def metrics(self, sums: Sequence[float], samples: int) -> dict[str, float]:
        """Return the mean absolute and the root mean squared error, in the target's unit."""
        absolute, squared = sums
        return {
            "mean_absolute_error": self.deviation * absolute / samples,
            "root_mean_squared_error": self.deviation * (squared / samples) ** 0.5,
        }
