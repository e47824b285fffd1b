"""Everything that is needed to go on with a training from a step boundary."""

from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

StageReason = Literal["epochs", "early_stopping"]


@dataclass
class Position:
    """How far a training has come."""

    #: Which stage is at work, from 0; the number of stages when all are done.
    stage: int = 0
    #: Epochs finished in this stage, and in the whole job.
    stage_epoch: int = 0
    epoch: int = 0
    #: Steps taken in the whole job, in this stage and in the unfinished epoch.
    step: int = 0
    stage_step: int = 0
    epoch_step: int = 0


@dataclass
class Patience:
    """What early stopping counts in a stage."""

    best: float | None = None
    #: Epochs in a row without improvement.
    waited: int = 0
    is_over: bool = False


@dataclass(frozen=True)
class PlateauRecord:
    """What `reduce_on_plateau` has seen of a stage's epochs."""

    best: float | None = None
    #: Epochs in a row without improvement.
    waited: int = 0
    #: Epochs to come in which none without improvement counts.
    cooling: int = 0
    #: What the reductions so far multiply the learning rate by.
    factor: float = 1.0


@dataclass(frozen=True)
class StageEnd:
    """How a stage ended."""

    stage: str
    reason: StageReason
    #: Whether the weights of its best epoch were put back.
    restored: bool


@dataclass(frozen=True)
class TrainingState:
    """A training at a step boundary, on the CPU and apart from the living one."""

    position: Position
    #: Weights and buffers by the module's own names.
    model: dict[str, Tensor]
    #: What the optimizer keeps, by parameter and key; empty before the stage's first step.
    optimizer: dict[str, dict[str, Tensor]]
    #: The schedule is a pure function of these: its updates, the rate it last gave, and the
    #: record of `reduce_on_plateau` under "plateau".
    schedule: dict[str, Any]
    scaler: dict[str, Any]
    #: States of the generators; steps are reseeded, so they matter to nothing between them.
    generators: dict[str, Tensor]
    #: Partial sums of the unfinished epoch's metrics.
    sums: dict[str, Any]
    patience: Patience
    #: Best values so far by monitor.
    best: dict[str, float]
    #: The stage's best weights, where early stopping is to restore them.
    best_weights: dict[str, Tensor] | None = None
    #: How the stages before this one ended, in order.
    ended: tuple[StageEnd, ...] = ()
    #: What the last bits depend on; others cannot be promised (see `exactness`).
    fingerprint: dict[str, str] = field(default_factory=dict)

    @property
    def step(self) -> int:
        """Steps taken in the whole job."""
        return self.position.step

    @property
    def epoch(self) -> int:
        """Epochs finished in the whole job; 0 before training."""
        return self.position.epoch


def on_cpu(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Copies on the CPU that no later step changes."""
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors.items()}


def optimizer_tensors(
    optimizer: torch.optim.Optimizer, model: nn.Module
) -> dict[str, dict[str, Tensor]]:
    """What an optimizer keeps, by the parameter's name and the key; copies on the CPU."""
    kept: dict[str, dict[str, Tensor]] = {}
    for name, parameter in model.named_parameters():
        tensors = {
            key: value
            for key, value in optimizer.state.get(parameter, {}).items()
            if isinstance(value, Tensor)
        }
        if tensors:
            kept[name] = on_cpu(tensors)
    return kept


def restore_optimizer(
    optimizer: torch.optim.Optimizer, model: nn.Module, kept: dict[str, dict[str, Tensor]]
) -> None:
    """Give a fresh optimizer what an earlier one kept.

    Tensors take their parameter's memory layout, since fused optimizers go through both as flat
    memory and a file keeps neither. They go to its device; a count of steps only where the
    optimizer reads it there, since it would wait for the device at each step otherwise.

    Raises:
        ValueError: the state is of another network.
    """
    parameters = dict(model.named_parameters())
    unknown = sorted(set(kept) - set(parameters))
    if unknown:
        raise ValueError(f"the optimizer's state is of another network: it has {unknown[0]!r}")
    counts_there = {
        parameter: bool(group.get("fused") or group.get("capturable"))
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    for name, tensors in kept.items():
        parameter = parameters[name]
        for key, value in tensors.items():
            stays = key == "step" and not counts_there.get(parameter, False)
            device = value.device if stays else parameter.device
            like = parameter.detach() if value.shape == parameter.shape else value
            own = torch.empty_like(like, dtype=value.dtype, device=device)
            optimizer.state[parameter][key] = own.copy_(value)
