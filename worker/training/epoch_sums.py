"""The sums behind an epoch's metrics: each step leaves its results on the device.

Reading a result makes the host wait for the device. So a `Window` keeps the results of some steps,
which are then read at once and added to the `Sums`, one step after the other in float64: when the
window is emptied changes no bit. Axes: N samples, M outputs.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from worker.training.divergence import MAX_SKIPPED_IN_A_ROW, Diverged, is_finite
from worker.training.metrics import MIXED_PREFIX, PREFIXES
from worker.training.task import Task


@dataclass
class Sums:
    """The sums over the steps of the epoch so far; a part of the training state."""

    steps: int = 0
    images: int = 0
    #: Σ images · mean data loss of the step.
    data_loss: float = 0.0
    #: The same of the penalty, with the terms of `on_forward`.
    penalty: float = 0.0
    #: Over the steps whose gradient is finite: float16 skips the others.
    gradient_norm: float = 0.0
    clipped_steps: int = 0
    finite_steps: int = 0
    skipped_in_a_row: int = 0
    learning_rate: float = 0.0
    seconds: float = 0.0
    #: The task's statistics, in its order.
    statistics: list[float] = field(default_factory=list)

    def metrics(self, task: Task, *, is_clipped: bool) -> dict[str, float]:
        """Return the training metrics of the epoch, as `metrics` declares them."""
        images = max(1, self.images)
        data_loss, penalty = self.data_loss / images, self.penalty / images
        metrics = {
            "train_loss": data_loss + penalty,
            "train_data_loss": data_loss,
            "train_penalty": penalty,
            "learning_rate": self.learning_rate,
            "gradient_norm": self.gradient_norm / max(1, self.finite_steps),
            "images_per_second": self.images / self.seconds if self.seconds else 0.0,
        }
        if is_clipped:
            metrics["clipped_fraction"] = self.clipped_steps / max(1, self.finite_steps)
        prefix = MIXED_PREFIX if task.is_mixed else PREFIXES["train"]
        measured = task.metrics(self.statistics, images)
        return metrics | {prefix + name: value for name, value in measured.items()}

    def as_json(self) -> dict[str, Any]:
        """Return the sums as a checkpoint keeps them."""
        return {**vars(self), "statistics": list(self.statistics)}


@dataclass(frozen=True)
class StepResult:
    """What one step leaves on the device. Nothing in it has been waited for."""

    step: int
    outputs_NM: Tensor
    #: Classes, or the numbers to predict.
    targets_N: Tensor
    data_loss: Tensor
    penalty: Tensor | None
    gradient_norm: Tensor
    #: Of each trained tensor, in the order of the network's parameters.
    gradient_norms: Tensor
    was_clipped: Tensor | None
    learning_rate: float


@dataclass(frozen=True)
class StepValues:
    """The results of one step, as they are read."""

    step: int
    data_loss: float
    penalty: float
    gradient_norm: float
    #: Of each trained tensor, before clipping, in the order of the network's parameters.
    gradient_norms: tuple[float, ...]
    was_clipped: bool
    learning_rate: float


class Window:
    """The steps whose results are still on the device."""

    def __init__(self, task: Task, capacity: int) -> None:
        self.task = task
        self.capacity = capacity
        self._steps: list[StepResult] = []
        #: The steps that were read since `take_values`.
        self._values: list[StepValues] = []

    @property
    def is_full(self) -> bool:
        """Whether the window should be emptied now."""
        return len(self._steps) >= self.capacity

    def add(self, result: StepResult) -> None:
        """Keep the result of a step."""
        self._steps.append(result)

    def take_values(self) -> tuple[StepValues, ...]:
        """Return the values of the steps that were read since the last call."""
        values, self._values = self._values, []
        return tuple(values)

    def empty_into(self, sums: Sums, *, skips_overflow: bool, stage: str, hint: str) -> None:
        """Wait for the device and add the results of all steps here to the sums.

        Args:
            sums: the epoch's, changed in place.
            skips_overflow: whether a step whose gradient is not finite was skipped (float16).
            stage: the stage's name, for the error.
            hint: what the user can try if the job diverged.

        Raises:
            Diverged: at the first step whose loss or gradient is not finite.
        """
        steps, self._steps = self._steps, []
        if not steps:
            return
        statistics = self.task.statistics(
            [result.outputs_NM for result in steps], [result.targets_N for result in steps]
        )
        zero = torch.zeros((), device=statistics.device)
        rows = torch.stack(
            [
                part
                for result in steps
                for part in (
                    result.data_loss,
                    zero if result.penalty is None else result.penalty,
                    result.gradient_norm,
                    zero if result.was_clipped is None else result.was_clipped,
                )
            ]
        )
        norms = torch.stack([result.gradient_norms for result in steps]).tolist()
        for result, row, norms_of_step in zip(steps, rows.view(-1, 4).tolist(), norms, strict=True):
            data_loss, penalty, gradient_norm, was_clipped = row
            self._values.append(
                StepValues(
                    step=result.step,
                    data_loss=data_loss,
                    penalty=penalty,
                    gradient_norm=gradient_norm,
                    gradient_norms=tuple(norms_of_step),
                    was_clipped=bool(was_clipped),
                    learning_rate=result.learning_rate,
                )
            )
            if not is_finite(data_loss, penalty):
                raise Diverged(result.step, stage, "The training loss", hint, self.take_values())
            has_overflowed = not is_finite(gradient_norm)
            sums.skipped_in_a_row = sums.skipped_in_a_row + 1 if has_overflowed else 0
            if has_overflowed and (
                not skips_overflow or sums.skipped_in_a_row >= MAX_SKIPPED_IN_A_ROW
            ):
                first = result.step - sums.skipped_in_a_row + 1
                raise Diverged(first, stage, "The gradient", hint, self.take_values())
            images = len(result.targets_N)
            sums.steps += 1
            sums.images += images
            sums.data_loss += images * data_loss
            sums.penalty += images * penalty
            sums.gradient_norm += 0.0 if has_overflowed else gradient_norm
            sums.finite_steps += not has_overflowed
            sums.clipped_steps += 0 if has_overflowed else round(was_clipped)
            sums.learning_rate = result.learning_rate
        for row in statistics.tolist():
            sums.statistics = [a + b for a, b in zip(sums.statistics, row, strict=True)]
