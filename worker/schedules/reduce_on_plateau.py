"""A schedule that looks at a metric."""

from typing import Annotated, Literal

from pydantic import Field

from worker.registry import schedules
from worker.schedules.warmup import Warmup, ramp


@schedules.register(
    source="He et al. 2015, arXiv:1512.03385, section 3.4; Keras's ReduceLROnPlateau"
)
def reduce_on_plateau(
    updates: int,
    _total: int,
    /,
    *,
    monitor: Annotated[str, Field(min_length=1, max_length=64)] = "val_loss",  # noqa: ARG001
    mode: Literal["min", "max"] = "min",  # noqa: ARG001
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.1,  # noqa: ARG001
    patience: Annotated[int, Field(ge=1, le=100_000)] = 10,  # noqa: ARG001
    min_delta: Annotated[float, Field(ge=0)] = 0.0,  # noqa: ARG001
    cooldown: Annotated[int, Field(ge=0, le=100_000)] = 0,  # noqa: ARG001
    final: Annotated[float, Field(ge=0, le=1)] = 0.0,  # noqa: ARG001
    warmup: Warmup = 0,
) -> float:
    """Multiplies the learning rate by the factor when a metric stops improving.

    This gives the part that updates decide, the warm-up. What finished epochs decide is
    multiplied onto it by the loop: `Plateau` of `worker.training.experiment` holds these
    parameters, and its record is kept in checkpoints. A stage starts with a fresh record.

    Args:
        updates: updates made before this one.
        _total: updates of the stage; not looked at.
        monitor: the metric, one of those that each epoch gives.
        mode: whether it is better when smaller or when larger.
        factor: what the learning rate is multiplied by.
        patience: after how many epochs in a row without improvement.
        min_delta: an improvement is by more than this, in the metric's units.
        cooldown: for how many epochs after a reduction none without improvement counts.
        final: the share of lr₀ that it never falls below.
        warmup: over how many updates it rises linearly first.
    """
    return ramp(updates, warmup)
