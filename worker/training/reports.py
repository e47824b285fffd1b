"""The reports that `fit` yields, in order. Data without behaviour."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from worker.training.epoch_sums import StepValues
from worker.training.stage_end import StageEnd
from worker.training.state import TrainingState

#: Copies the training state at this boundary. Raises RuntimeError after the next report.
Snapshot = Callable[[], TrainingState]


@dataclass(frozen=True)
class Report:
    """The position in the job; a part of every report."""

    #: Steps of the whole job.
    step: int
    #: The current epoch, counted over the whole job from 1; 0 before training.
    epoch: int
    #: The stage's name; empty after the last stage.
    stage: str


@dataclass(frozen=True)
class InitialState(Report):
    """The state before the first step. A resumed job does not report it."""

    #: ("initial",) where a checkpoint of it is requested, else empty.
    checkpoint_keys: tuple[str, ...]
    snapshot: Snapshot


@dataclass(frozen=True)
class StageStarted(Report):
    """A stage starts, or continues after a resume."""

    #: Epochs of this stage.
    epochs: int
    trainable_parameters: int
    #: Whether some of its steps were taken before a resume.
    is_resumed: bool


@dataclass(frozen=True)
class Stepped(Report):
    """An optimizer step was taken."""

    #: Epochs and steps of the whole job, if no stage stops early.
    epochs: int
    steps: int
    #: Images in this step.
    images: int
    #: Whether it was the epoch's last step: `EpochEnded` follows, and a checkpoint should wait for
    #: that.
    ends_epoch: bool
    #: The steps whose results were read since the last report: on a GPU, several at once.
    values: tuple[StepValues, ...]
    snapshot: Snapshot


@dataclass(frozen=True)
class EpochEnded(Report):
    """An epoch was trained and validated."""

    metrics: Mapping[str, float]
    #: Monitors of the checkpoint rules that reached their best value so far.
    improved: tuple[str, ...]
    #: The checkpoint rules that request a checkpoint now: "best:val_loss", "every:5", …
    checkpoint_keys: tuple[str, ...]
    #: Remarks on this epoch for the user.
    notes: tuple[str, ...]
    #: The last steps of the epoch whose results no `Stepped` has reported.
    values: tuple[StepValues, ...]
    snapshot: Snapshot


@dataclass(frozen=True)
class StageEnded(Report):
    """A stage is over."""

    end: StageEnd


@dataclass(frozen=True)
class Fitted(Report):
    """All stages are over. This is the last report."""

    #: How each stage ended, in order, those before a resume included.
    stages: tuple[StageEnd, ...]
    snapshot: Snapshot
