"""What is measured only where a rule needs it, as plain numbers."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class GradientNoise:
    """How much the gradients of batches differ from their mean, at one moment."""

    step: int
    epoch: int
    samples: int
    batch_size: int
    #: θ² = tr(Σ)/(B·‖G‖²): the variance of a batch's gradient over the squared norm of the mean.
    squared_ratio: float

    @property
    def ratio(self) -> float:
        """The deviation of a batch's gradient over the norm of the mean gradient, θ."""
        return math.sqrt(self.squared_ratio)


@dataclass(frozen=True, kw_only=True)
class ShuffledControl:
    """A copy of the network after a training on labels in a random order."""

    steps: int
    #: Of the validation split, and the share of its largest class.
    accuracy: float
    chance: float
    samples: int

    @property
    def standard_error(self) -> float:
        """Of an accuracy at chance."""
        return math.sqrt(max(self.chance * (1 - self.chance), 1e-9) / self.samples)


@dataclass(frozen=True, kw_only=True)
class GradientCheck:
    """Derivatives in random directions by backpropagation and by differences of the loss."""

    #: The relative error in each direction.
    errors: tuple[float, ...]
    samples: int


@dataclass(frozen=True, kw_only=True)
class ValidationReading:
    """What the network answers on samples of the validation split at the end."""

    samples: int
    #: confusion[label][predicted], counts.
    confusion: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """A linear classifier by least squares next to the network, on the same validation samples."""

    train_samples: int
    samples: int
    accuracy: float
    own_accuracy: float
    #: Samples that only the linear classifier, and that only the network has right.
    only_linear: int
    only_own: int
    #: Samples for which both answer with the same class, and it is not the label.
    disputed: int
    #: Their different pairs of label and answer, over what wrong labels at random have.
    spread: float
    #: How far the network's scores rank their labels below its second answer, on average: 0 for
    #: second answers, 1 for labels at random; 1 with two classes, where it says nothing.
    rank: float
    #: Some of them, the surest first: index in the data set, label, answer of both.
    listed: tuple[tuple[int, str, str], ...]


def noise_of_json(entries: list[Mapping[str, Any]]) -> list[GradientNoise]:
    """Return the stored measurements of gradient noise."""
    return [GradientNoise(**entry) for entry in entries]


def control_of_json(data: Mapping[str, Any] | None) -> ShuffledControl | None:
    """Return the stored control."""
    return None if data is None else ShuffledControl(**data)
