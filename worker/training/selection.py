"""What the metrics of an epoch decide: best checkpoints, early stopping, a lower learning rate.

The rules come from the specification and stay as they are. The records hold what has happened so
far; they are a part of the training state.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from torch import Tensor, nn

from worker.training.device_work import copy_to_cpu

Mode = Literal["min", "max"]


@dataclass(frozen=True)
class Best:
    """A metric, and whether its smallest or its largest value is the best."""

    monitor: str
    mode: Mode

    def is_better(self, value: float, than: float | None, min_delta: float = 0.0) -> bool:
        """Return whether a value improves on another by more than `min_delta`; NaN never does."""
        if than is None:
            return value == value  # noqa: PLR0124 - false for NaN only
        gain = than - value if self.mode == "min" else value - than
        return gain > min_delta


@dataclass(frozen=True)
class Patience:
    """The record of early stopping in a stage."""

    best: float | None = None
    #: Epochs in a row without improvement.
    bad_epochs: int = 0
    is_exhausted: bool = False


@dataclass(frozen=True)
class EarlyStopping:
    """Stop a stage after `patience` epochs in a row without improvement."""

    best: Best
    patience: int = 3
    min_delta: float = 0.0
    #: Whether the stage ends with the weights of its best epoch.
    restore_best: bool = False

    def update(self, record: Patience, value: float) -> Patience:
        """Return the record after an epoch that ended with this value of the metric."""
        if self.best.is_better(value, record.best, self.min_delta):
            return Patience(best=value)
        bad_epochs = record.bad_epochs + 1
        return Patience(record.best, bad_epochs, is_exhausted=bad_epochs >= self.patience)


@dataclass(frozen=True)
class PlateauRecord:
    """The record of a `Plateau` in a stage."""

    best: float | None = None
    #: Epochs in a row without improvement.
    bad_epochs: int = 0
    #: Coming epochs that do not count as bad.
    cooldown_epochs: int = 0
    #: The product of the reductions so far, a factor on the learning rate.
    factor: float = 1.0


@dataclass(frozen=True)
class Plateau:
    """Multiply the learning rate by `factor` after `patience` epochs without improvement."""

    best: Best
    factor: float = 0.1
    patience: int = 10
    min_delta: float = 0.0
    #: Epochs after a reduction that do not count as bad.
    cooldown: int = 0
    #: The smallest product of reductions.
    final: float = 0.0

    def update(self, record: PlateauRecord, value: float) -> PlateauRecord:
        """Return the record after an epoch that ended with this value of the metric."""
        cooldown_epochs = max(0, record.cooldown_epochs - 1)
        if self.best.is_better(value, record.best, self.min_delta):
            return PlateauRecord(best=value, cooldown_epochs=cooldown_epochs, factor=record.factor)
        bad_epochs = 0 if cooldown_epochs else record.bad_epochs + 1
        if bad_epochs < self.patience:
            return replace(record, bad_epochs=bad_epochs, cooldown_epochs=cooldown_epochs)
        factor = max(self.final, record.factor * self.factor)
        return PlateauRecord(best=record.best, cooldown_epochs=self.cooldown, factor=factor)


class Selection:
    """The records of a job, and of its current stage."""

    def __init__(self, rules: Sequence[Best]) -> None:
        self._rules = rules
        #: The best values so far by monitor, for the job's best checkpoints.
        self.best: dict[str, float] = {}
        self.patience = Patience()
        self.plateau = PlateauRecord()
        #: The weights of the stage's best epoch, where early stopping restores them.
        self.best_weights: dict[str, Tensor] | None = None

    def start_stage(self) -> None:
        """Clear what counts within a stage."""
        self.patience, self.plateau, self.best_weights = Patience(), PlateauRecord(), None

    def update_best(self, metrics: Mapping[str, float]) -> tuple[str, ...]:
        """Record the best values of the job; return the monitors that improved on them."""
        improved = [
            rule.monitor
            for rule in self._rules
            if rule.is_better(metrics[rule.monitor], self.best.get(rule.monitor))
        ]
        self.best |= {monitor: metrics[monitor] for monitor in improved}
        return tuple(improved)

    def update_patience(
        self, rule: EarlyStopping | None, metrics: Mapping[str, float], model: nn.Module
    ) -> None:
        """Count an epoch for early stopping, and copy the weights if it is the best so far."""
        if rule is None:
            return
        self.patience = rule.update(self.patience, metrics[rule.best.monitor])
        if rule.restore_best and self.patience.bad_epochs == 0:
            self.best_weights = copy_to_cpu(model.state_dict())

    def update_plateau(self, rule: Plateau | None, metrics: Mapping[str, float]) -> None:
        """Count an epoch for the plateau, which may lower the learning rate of the next epochs."""
        if rule is not None:
            self.plateau = rule.update(self.plateau, metrics[rule.best.monitor])

    def restore_best_weights(self, model: nn.Module) -> bool:
        """Load the weights of the stage's best epoch, unless it was the last; return whether."""
        if self.best_weights is None or self.patience.bad_epochs == 0:
            return False
        model.load_state_dict(self.best_weights)
        return True
