"""The figures of an epoch: left on the device by each step, summed on the host now and then.

Reading a figure makes the host wait for the device. So steps leave theirs in a `Window`, which
is emptied at once every few steps. Sums are made one step after the other in float64, so that
where the window is emptied changes no bit. Axes: N samples, M outputs.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from worker.training.divergence import SKIPPED_IN_A_ROW, Diverged, is_finite
from worker.training.task import Target


@dataclass
class Sums:
    """What the steps of the epoch so far add up to; a part of the training's state."""

    steps: int = 0
    images: int = 0
    #: Σ images · mean data loss of the step; the same of the penalty with `on_forward`'s terms.
    data_loss: float = 0.0
    penalty: float = 0.0
    #: Over the steps whose gradient was finite: float16 skips the others.
    gradient_norm: float = 0.0
    clipped_steps: int = 0
    finite_steps: int = 0
    skipped_in_a_row: int = 0
    learning_rate: float = 0.0
    seconds: float = 0.0
    #: What the target counts, in its order.
    tallies: list[float] = field(default_factory=list)

    def metrics(self, target: Target, *, is_clipped: bool) -> dict[str, float]:
        """The training metrics of the epoch; see `metric_names`."""
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
        counted = target.metrics(self.tallies, images)
        return metrics | {target.train_name(name): value for name, value in counted.items()}

    def as_json(self) -> dict[str, Any]:
        """The sums as a checkpoint keeps them."""
        return {**vars(self), "tallies": list(self.tallies)}


@dataclass(frozen=True)
class StepFigures:
    """What one step leaves on the device; nothing here was waited for."""

    step: int
    outputs_NM: Tensor
    #: Classes, or the numbers asked for.
    targets_N: Tensor
    data_loss: Tensor
    penalty: Tensor | None
    gradient_norm: Tensor
    was_clipped: Tensor | None
    learning_rate: float


class Window:
    """The steps whose figures are still on the device."""

    def __init__(self, target: Target, capacity: int) -> None:
        self.target = target
        self.capacity = capacity
        self._steps: list[StepFigures] = []

    @property
    def is_full(self) -> bool:
        """Whether it is time to empty it."""
        return len(self._steps) >= self.capacity

    def add(self, figures: StepFigures) -> None:
        """Leave a step's figures here."""
        self._steps.append(figures)

    def empty_into(self, sums: Sums, *, skips_overflow: bool, stage: str, hint: str) -> None:
        """Wait for the device and add the figures of all steps here to the sums.

        Args:
            sums: the epoch's, changed in place.
            skips_overflow: whether a step whose gradient is not finite was skipped (float16).
            stage: the stage's name, for the error.
            hint: what to try if the training diverged.

        Raises:
            Diverged: at the first step whose loss or gradient was not finite.
        """
        steps, self._steps = self._steps, []
        if not steps:
            return
        tallies = self.target.tally(
            [figures.outputs_NM for figures in steps], [figures.targets_N for figures in steps]
        )
        nothing = torch.zeros((), device=tallies.device)
        rows = torch.stack(
            [
                part
                for figures in steps
                for part in (
                    figures.data_loss,
                    nothing if figures.penalty is None else figures.penalty,
                    figures.gradient_norm,
                    nothing if figures.was_clipped is None else figures.was_clipped,
                )
            ]
        )
        for figures, row in zip(steps, rows.view(-1, 4).tolist(), strict=True):
            data_loss, penalty, gradient_norm, was_clipped = row
            if not is_finite(data_loss, penalty):
                raise Diverged(figures.step, stage, "The training loss", hint)
            has_overflown = not is_finite(gradient_norm)
            sums.skipped_in_a_row = sums.skipped_in_a_row + 1 if has_overflown else 0
            if has_overflown and (not skips_overflow or sums.skipped_in_a_row >= SKIPPED_IN_A_ROW):
                first = figures.step - sums.skipped_in_a_row + 1
                raise Diverged(first, stage, "The gradient", hint)
            images = len(figures.targets_N)
            sums.steps += 1
            sums.images += images
            sums.data_loss += images * data_loss
            sums.penalty += images * penalty
            sums.gradient_norm += 0.0 if has_overflown else gradient_norm
            sums.finite_steps += not has_overflown
            sums.clipped_steps += 0 if has_overflown else round(was_clipped)
            sums.learning_rate = figures.learning_rate
        for row in tallies.tolist():
            sums.tallies = [before + now for before, now in zip(sums.tallies, row, strict=True)]


def metric_names(target: Target, *, is_clipped: bool) -> tuple[str, ...]:
    """Every metric that an epoch gives, with which early stopping and checkpoints can work.

    Args:
        target: what is asked for.
        is_clipped: whether gradients are.
    """
    return (
        *("train_loss", "train_data_loss", "train_penalty", "val_loss", "val_data_loss"),
        *(target.train_name(name) for name in target.names),
        *(f"val_{name}" for name in target.names),
        *("generalization_gap", "learning_rate", "gradient_norm"),
        *(["clipped_fraction"] if is_clipped else []),
        *("images_per_second", "seconds"),
    )


def split_of(metric: str) -> str | None:
    """Return the split that a metric is of, by its name."""
    prefixes = {"train_": "train", "val_": "validation", "test_": "test"}
    return next((split for prefix, split in prefixes.items() if metric.startswith(prefix)), None)
