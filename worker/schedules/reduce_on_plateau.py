"""A schedule that follows a metric."""

from typing import Annotated, Literal

from pydantic import Field

from worker.registry import SpecError, schedules
from worker.schedules.schedule import Schedule, Warmup
from worker.training.selection import Best, Plateau


@schedules.register(
    source="He et al. 2015, arXiv:1512.03385, section 3.4; Keras's ReduceLROnPlateau"
)
def reduce_on_plateau(
    *,
    monitor: Annotated[str, Field(min_length=1, max_length=64)] = "val_loss",
    mode: Literal["min", "max"] | None = None,
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.1,
    patience: Annotated[int, Field(ge=1, le=100_000)] = 10,
    min_delta: Annotated[float, Field(ge=0)] = 0.0,
    cooldown: Annotated[int, Field(ge=0, le=100_000)] = 0,
    final: Annotated[float, Field(ge=0, le=1)] = 0.0,
    warmup: Warmup = 0,
) -> Schedule:
    """Multiply the learning rate by a factor when a metric stops improving.

    The metric is compared at the end of each epoch. Each stage starts to compare from scratch; a
    resumed stage continues from its checkpoint.

    Args:
        monitor: name of the metric, out of the metrics of each epoch.
        mode: "min" if lower values are better, "max" if higher values are; null follows the
            direction of the metric, and a filled specification has it.
        factor: what the learning rate is multiplied by at each reduction.
        patience: number of consecutive epochs without improvement before a reduction.
        min_delta: an epoch is an improvement if it is better by more than this, in the metric's
            unit.
        cooldown: number of epochs from one reduction to the first that counts towards `patience`
            again; as in Keras, 1 is the same as 0.
        final: the smallest learning rate, as a fraction of lr₀.
        warmup: number of updates over which the learning rate first rises linearly to lr₀.
    """
    if mode is None:
        raise SpecError("The mode of reduce_on_plateau is not filled in.")
    plateau = Plateau(Best(monitor, mode), factor, patience, min_delta, cooldown, final)
    return Schedule(warmup=warmup, plateau=plateau)
