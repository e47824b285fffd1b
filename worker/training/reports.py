"""What `fit` tells whoever runs it, in order. Data, no behaviour."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from worker.training.state import StageEnd, StageReason, TrainingState

#: Copies the training at this boundary; refuses once the generator has been resumed.
Snapshot = Callable[[], TrainingState]


@dataclass(frozen=True)
class Report:
    """What every report says: where the training is."""

    #: Steps taken, counted over the whole job.
    step: int
    #: The epoch at work, counted over the whole job from 1; 0 before training.
    epoch: int
    #: The stage's name; empty before the first and after the last.
    stage: str


@dataclass(frozen=True)
class InitialState(Report):
    """Before the first step of a training that starts anew."""

    #: ("initial",) where a checkpoint of it is asked for, else empty.
    checkpoint_keys: tuple[str, ...]
    snapshot: Snapshot


@dataclass(frozen=True)
class StageStarted(Report):
    """A stage starts, or goes on after a resume."""

    #: Epochs of this stage.
    epochs: int
    trainable_parameters: int
    #: Whether it goes on in the middle.
    is_resumed: bool


@dataclass(frozen=True)
class Stepped(Report):
    """An optimizer step was taken."""

    #: Epochs and steps of the whole job, if no stage stops early.
    epochs: int
    steps: int
    #: Images in this step.
    images: int
    #: Whether it was the epoch's last: `EpochEnded` of the same step follows, and a checkpoint
    #: should wait for it.
    ends_epoch: bool
    snapshot: Snapshot


@dataclass(frozen=True)
class EpochEnded(Report):
    """An epoch was trained and validated."""

    metrics: Mapping[str, float]
    #: Monitors of the checkpoint rules that are better than ever.
    improved: tuple[str, ...]
    #: "best:val_loss", "every:5", …: which rules ask for a checkpoint now.
    checkpoint_keys: tuple[str, ...]
    #: What a person should know of this epoch.
    notes: tuple[str, ...]
    snapshot: Snapshot


@dataclass(frozen=True)
class StageEnded(Report):
    """A stage is over."""

    reason: StageReason
    #: Whether the weights of its best epoch were put back.
    restored: bool


@dataclass(frozen=True)
class Fitted(Report):
    """All stages are over; nothing follows."""

    #: How each stage ended, in order, whether before or after a resume.
    stages: tuple[StageEnd, ...]
    snapshot: Snapshot
