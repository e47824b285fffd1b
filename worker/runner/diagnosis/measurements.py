"""What the watch measures of a stage besides the readings: steps, updates and epochs.

Nothing here waits for the device until `read_updates` is called.
"""

import math
from typing import TypeVar

import torch
from torch import Tensor, nn

from worker.diagnostics.learning_rate import FIRST_STEPS
from worker.diagnostics.readings import Record, Step, Update
from worker.training.epoch_sums import StepValues
from worker.training.experiment import Experiment, Stage
from worker.training.reports import EpochEnded
from worker.training.tensor_norms import euclidean_norms

#: What is kept of a long training: the first and the last entries.
MAX_READINGS, MAX_UPDATES, MAX_STEPS, MAX_EPOCHS = (3, 7), (6, 20), (20, 20), (20, 150)
#: The metrics that rules use.
METRICS = (
    *("train_loss", "train_data_loss", "train_accuracy", "train_penalty", "train_eval_loss"),
    *("val_loss", "val_data_loss", "val_accuracy", "generalization_gap", "clipped_fraction"),
    *("val_mean_absolute_error", "learning_rate"),
)

_Entry = TypeVar("_Entry")


class Measurements:
    """The record of a stage, and what is still on the device."""

    def __init__(self, experiment: Experiment, record: Record) -> None:
        self.record = record
        self._experiment = experiment
        self._pending: list[tuple[int, int, float, Tensor, list[str]]] = []
        self._before: tuple[list[str], list[Tensor]] | None = None

    def start_stage(self) -> None:
        """Forget the stage before."""
        self.record = Record(data=self.record.data)
        self._pending, self._before = [], None

    def prepare_step(self, stage: Stage) -> None:
        """Copy the weights if the next step's change of them is measured."""
        record, steps = self.record, self._experiment.steps_of_epoch(stage)
        is_last = record.epoch_step + 1 == steps
        if record.stage_step + 1 in FIRST_STEPS or is_last:
            names, tensors = self._weights()
            self._before = (names, [tensor.detach().clone() for tensor in tensors])

    def add_step(self, stage: Stage, step: int, epoch: int) -> None:
        """Count a step, and measure its change of the weights if they were copied."""
        record = self.record
        record.stage_step += 1
        record.epoch_step += 1
        if self._before is None:
            return
        names, before = self._before
        self._before = None
        present_names, present = self._weights()
        if present_names != names or not names:
            return
        with torch.no_grad():
            changes = [new.detach() - old for new, old in zip(present, before, strict=True)]
            ratios = euclidean_norms(changes) / (euclidean_norms(before) + 1e-12)
        total = stage.epochs * self._experiment.steps_of_epoch(stage)
        fraction = stage.schedule(record.stage_step - 1, total)
        self._pending.append((step, epoch, fraction, ratios, names))

    def add_values(self, values: tuple[StepValues, ...]) -> None:
        """Record the results of steps."""
        sums = self.record.sums
        for value in values:
            sums.steps += 1
            sums.loss += value.data_loss
            sums.squared_loss += value.data_loss**2
            sums.penalty += value.penalty
            if math.isfinite(value.gradient_norm):
                sums.finite_steps += 1
                sums.gradient_norm += value.gradient_norm
            step = Step(
                step=value.step,
                data_loss=value.data_loss,
                penalty=value.penalty,
                gradient_norm=value.gradient_norm,
                learning_rate=value.learning_rate,
            )
            self.record.steps.append(step)
        self.record.steps = thinned(self.record.steps, *MAX_STEPS)

    def add_epoch(self, report: EpochEnded) -> None:
        """Record an epoch."""
        record = self.record
        metrics = {name: report.metrics[name] for name in METRICS if name in report.metrics}
        record.epochs.append(record.sums.reading(report.epoch, report.step, metrics))
        record.epochs = thinned(record.epochs, *MAX_EPOCHS)
        record.sums = type(record.sums)()
        record.epoch_step = 0

    def read_updates(self) -> None:
        """Wait for the device and record the changes of weights that were measured."""
        pending, self._pending = self._pending, []
        for step, epoch, fraction, ratios, names in pending:
            of_tensors = dict(zip(names, ratios.tolist(), strict=True))
            self.record.updates.append(
                Update(step=step, epoch=epoch, rate_fraction=fraction, ratios=of_tensors)
            )
        self.record.updates = thinned(self.record.updates, *MAX_UPDATES)

    def _weights(self) -> tuple[list[str], list[nn.Parameter]]:
        named = [
            (name, tensor)
            for name, tensor in self._experiment.model.named_parameters()
            if tensor.ndim >= 2 and tensor.requires_grad
        ]
        return [name for name, _ in named], [tensor for _, tensor in named]


def thinned(entries: list[_Entry], first: int, last: int) -> list[_Entry]:
    """Return the first and the last entries of a list."""
    return entries if len(entries) <= first + last else [*entries[:first], *entries[-last:]]
