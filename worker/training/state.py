"""The training state: everything that a job needs to resume from a step boundary."""

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from worker.training.optimizer_state import OptimizerState
from worker.training.selection import Patience
from worker.training.stage_end import StageEnd


@dataclass
class Position:
    """How far the job has come."""

    #: The index of the current stage; the number of stages when all are done.
    stage: int = 0
    #: Finished epochs of this stage, and of the whole job.
    stage_epoch: int = 0
    epoch: int = 0
    #: Steps of the whole job, of this stage, and of the unfinished epoch.
    step: int = 0
    stage_step: int = 0
    epoch_step: int = 0


@dataclass(frozen=True)
class TrainingState:
    """The job at a step boundary. Its tensors are copies on the CPU."""

    position: Position
    #: Weights and buffers by the module's own names.
    model: dict[str, Tensor]
    #: Empty before the stage's first step.
    optimizer: OptimizerState
    #: The schedule is a pure function of these: `updates` of the stage, the last `learning_rate`,
    #: and the record of the `plateau`.
    schedule: dict[str, Any]
    scaler: dict[str, Any]
    #: States of the generators. Each step seeds them, so they matter between steps only.
    generators: dict[str, Tensor]
    #: The unfinished epoch's `Sums`.
    sums: dict[str, Any]
    patience: Patience
    #: The best values so far by monitor.
    best: dict[str, float]
    #: The weights of the stage's best epoch, where early stopping restores them.
    best_weights: dict[str, Tensor] | None = None
    #: How the finished stages ended, in order.
    ended: tuple[StageEnd, ...] = ()
    #: What the last bits depend on, see `Determinism`.
    fingerprint: dict[str, str] = field(default_factory=dict)

    @property
    def step(self) -> int:
        """Steps of the whole job."""
        return self.position.step

    @property
    def epoch(self) -> int:
        """Finished epochs of the whole job."""
        return self.position.epoch
