"""What a network is asked for: one of several classes, or a number; and how right it is.

Steps are counted up on the device as *tallies*, which add up over the steps of an epoch.
Axes: N samples, M outputs of the network, S steps, T tallies.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from worker.training.topk import counts, metric_name, rank

#: What the figures of a number are called, without their split.
ABSOLUTE_ERROR = "mean_absolute_error"
SQUARED_ERROR = "root_mean_squared_error"

Tally = list[float]


class Target(Protocol):
    """What is asked for."""

    @property
    def outputs(self) -> int:
        """How many outputs the network has, M."""
        ...

    @property
    def tallies(self) -> int:
        """How many figures a step is counted by, T."""
        ...

    def tally(self, outputs: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
        """The tallies of some steps: [S, T], or fewer rows where their order changes no bit.

        Args:
            outputs: of each step, [N, M].
            targets: of each step, [N].
        """
        ...

    def metrics(self, tally: Tally, samples: int) -> dict[str, float]:
        """What the tallies say of so many samples, by name without its split."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """The names of `metrics`."""
        ...

    def train_name(self, name: str) -> str:
        """What one of them is called on the training split."""
        ...


@dataclass(frozen=True)
class Classes:
    """One class of several is right."""

    count: int
    #: Which top-k accuracies are counted.
    ks: tuple[int, ...]
    #: Whether training targets are mixtures of several samples' ones.
    is_mixed: bool = False

    @property
    def outputs(self) -> int:
        """A score for each class."""
        return self.count

    @property
    def tallies(self) -> int:
        """How many samples are right, for each k."""
        return len(self.ks)

    def tally(self, outputs: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
        """How many samples are right for each k, int64 [1, T]: integers add up in any order."""
        return counts(rank(torch.cat(list(outputs)), torch.cat(list(targets))), self.ks)[None]

    def metrics(self, tally: Tally, samples: int) -> dict[str, float]:
        """Top-k accuracies, fractions."""
        return {name: right / samples for name, right in zip(self.names, tally, strict=True)}

    @property
    def names(self) -> tuple[str, ...]:
        """`accuracy`, `top_5_accuracy` and so on."""
        return tuple(metric_name(k) for k in self.ks)

    def train_name(self, name: str) -> str:
        """Of mixed targets a right answer is no accuracy, and is not called one."""
        return f"train_mixed_{name}" if self.is_mixed else f"train_{name}"


@dataclass(frozen=True)
class Numbers:
    """A real number is asked for."""

    @property
    def outputs(self) -> int:
        """The number."""
        return 1

    @property
    def tallies(self) -> int:
        """Σ|y − f| and Σ(y − f)²."""
        return 2

    def tally(self, outputs: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
        """Σ|y − f| and Σ(y − f)² of each step, float64 [S, 2]."""
        errors = [f.squeeze(1).double() - y for f, y in zip(outputs, targets, strict=True)]
        return torch.stack([torch.stack((e.abs().sum(), e.square().sum())) for e in errors])

    def metrics(self, tally: Tally, samples: int) -> dict[str, float]:
        """Mean absolute error and the root of the mean squared one, in the target's unit."""
        absolute, squared = tally
        return {ABSOLUTE_ERROR: absolute / samples, SQUARED_ERROR: (squared / samples) ** 0.5}

    @property
    def names(self) -> tuple[str, ...]:
        """`mean_absolute_error`, `root_mean_squared_error`."""
        return (ABSOLUTE_ERROR, SQUARED_ERROR)

    def train_name(self, name: str) -> str:
        """With the split before it."""
        return f"train_{name}"
