"""How a stage ended, as data and as a sentence."""

from dataclasses import dataclass
from typing import Literal

StageReason = Literal["epochs", "early_stopping"]


@dataclass(frozen=True, kw_only=True)
class StageEnd:
    """How a stage ended."""

    stage: str
    reason: StageReason
    #: The last epoch, counted over the whole job.
    epoch: int
    #: Epochs of this stage, and how many of them the specification plans; 0 where not known.
    stage_epochs: int
    planned_epochs: int
    #: The metric of early stopping, and the smallest gain that counts; None without early stopping.
    monitor: str | None = None
    min_delta: float | None = None
    #: The epoch after which the metric did not improve any more; None if it was never a number.
    best_epoch: int | None = None
    #: Whether the stage ended with the weights of its best epoch, which was an earlier epoch.
    restored: bool = False

    @property
    def text(self) -> str:
        """The end as a sentence for the user, without the stage's name and a full stop."""
        planned, is_first = self.planned_epochs, self.epoch == self.stage_epochs
        if planned == 0:
            return "finished" if self.reason == "epochs" else "stopped early"
        if self.reason == "epochs":
            text = "finished its only epoch" if planned == 1 else f"finished all {planned} epochs"
        elif is_first:
            text = f"stopped early at epoch {self.epoch} of {planned}: {self._cause()}"
        else:
            of_stage = f"{self.stage_epochs} of its {planned} epochs"
            text = f"stopped early after {of_stage}, at epoch {self.epoch}: {self._cause()}"
        return f"{text}; weights of epoch {self.best_epoch} restored" if self.restored else text

    def _cause(self) -> str:
        if self.best_epoch is None:
            return f"{self.monitor} was never a number"
        gain = f" by more than {self.min_delta:g}" if self.min_delta else ""
        return f"{self.monitor} has not improved{gain} since epoch {self.best_epoch}"
