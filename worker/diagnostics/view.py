"""What a rule receives: everything measured so far, and questions that it can ask of it."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from worker.diagnostics.on_demand import (
    Baseline,
    GradientCheck,
    GradientNoise,
    ShuffledControl,
    ValidationReading,
)
from worker.diagnostics.readings import (
    DataReading,
    Divergence,
    EpochReading,
    RangeTest,
    Reading,
    Step,
    Update,
)

#: `update` follows some of the first steps, without a reading of the network.
Moment = Literal["start", "update", "step", "epoch", "end", "failure"]
Json = Mapping[str, Any]


class NotMeasured(Exception):
    """What a rule needs was not measured at this moment: it neither finds nor resolves anything."""


@dataclass(frozen=True, kw_only=True)
class StageView:
    """The stage that is trained."""

    name: str
    index: int
    epochs: int
    steps_per_epoch: int
    batch_size: int
    learning_rate: float
    #: Updates before the learning rate is reached.
    warmup: int
    #: Whether the stage trains only some layers, or keeps statistics of batch norm.
    is_partial: bool
    has_batch_norm: bool
    is_clipped: bool
    restores_best: bool


@dataclass(frozen=True, kw_only=True)
class View:
    """A training as a rule receives it. Sequences are oldest first and of this stage."""

    moment: Moment
    #: The filled specification.
    spec: Json
    stage: StageView
    #: The position: steps and epochs of the whole job.
    step: int
    epoch: int
    #: The number of classes; 0 for a regression.
    classes: int
    #: The loss of the best constant answer, and of equal scores for all classes.
    chance: float
    equal_scores_loss: float
    #: What the training loss has above the clean loss because of smoothed or mixed targets.
    target_floor: float
    readings: Sequence[Reading]
    updates: Sequence[Update]
    steps: Sequence[Step]
    epochs: Sequence[EpochReading]
    data: DataReading | None = None
    divergence: Divergence | None = None
    #: The range test of the learning rate, run when it is first called; None where it cannot run.
    range_test: Callable[[], RangeTest | None] = lambda: None
    #: The loss while one batch is learned by heart: steps and losses; None where it cannot run.
    overfit_test: Callable[[], Sequence[tuple[int, float]] | None] = lambda: None
    #: Backpropagation against differences; only in mode `full`, like the two after it.
    gradient_check: Callable[[], GradientCheck | None] = lambda: None
    #: The accuracy after a training on shuffled labels.
    shuffled_control: Callable[[], ShuffledControl | None] = lambda: None
    #: The noise of the gradients as it was measured before; `gradient_noise` also measures it now.
    noise: Sequence[GradientNoise] = ()
    gradient_noise: Callable[[], Sequence[GradientNoise]] = tuple
    #: The answers on the validation split at the end, and a linear classifier's next to them.
    validation: Callable[[], ValidationReading | None] = lambda: None
    baseline: Callable[[], Baseline | None] = lambda: None

    @property
    def is_classification(self) -> bool:
        """Whether classes are predicted."""
        return self.classes > 0

    @property
    def reading(self) -> Reading | None:
        """The newest reading."""
        return self.readings[-1] if self.readings else None

    @property
    def first_reading(self) -> Reading | None:
        """The reading before the first step; None where the training was resumed without it."""
        first = self.readings[0] if self.readings else None
        return first if first is not None and first.step == 0 else None

    @property
    def has_fresh_reading(self) -> bool:
        """Whether the newest reading is of this moment."""
        return self.reading is not None and self.reading.step == self.step

    @property
    def fresh_reading(self) -> Reading:
        """The reading of this moment.

        Raises:
            NotMeasured: The network was not read now, to keep within the budget of the watch.
        """
        if self.reading is None or not self.has_fresh_reading:
            raise NotMeasured
        return self.reading

    @property
    def is_warmed_up(self) -> bool:
        """Whether twenty steps, the warm-up and an epoch are over."""
        stage_steps = len(self.epochs) * self.stage.steps_per_epoch
        return bool(self.epochs) and stage_steps >= max(20, self.stage.warmup)

    @property
    def guessing(self) -> str:
        """What the loss at chance means, for sentences."""
        return f"guessing among {self.classes} classes" if self.classes else "a constant answer"

    def metric(self, name: str, epoch: int = -1) -> float | None:
        """Return a metric of an epoch by its index; None where it is not recorded."""
        if not -len(self.epochs) <= epoch < len(self.epochs):
            return None
        return self.epochs[epoch].metrics.get(name)

    def series(self, name: str) -> list[float]:
        """Return a metric of every epoch that has it."""
        return [e.metrics[name] for e in self.epochs if name in e.metrics]

    def loss_is_above(self, fraction: float) -> bool:
        """Return whether the clean loss is above a fraction of the loss at chance.

        A loss that is not finite is.
        """
        loss = self.metric("train_eval_loss")
        if loss is None or (self.has_fresh_reading and self.moment != "epoch"):
            loss = None if self.reading is None else self.reading.loss
        return loss is None or not loss <= fraction * self.chance


def median(values: Sequence[float]) -> float:
    """Return the median; NaN without values."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    if not ordered:
        return math.nan
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
