"""Optimizer, schedule, clipping and the length of the training."""

from typing import Annotated, Literal, Self

from pydantic import Field, StrictBool, model_validator

from shared.spec.fields import NUMBER, Epochs, MetricName, Mode, allow_name
from shared.spec.part import MethodSpec, SpecPart

#: A bound for gradients, well within the range of float32.
Bound = Annotated[float, Field(gt=0, le=1e30), NUMBER]


class ClippingSpec(SpecPart):
    """The bound to which gradients are clipped: exactly one of the three."""

    value: Bound | None = None
    norm: Bound | None = None
    global_norm: Bound | None = None

    @model_validator(mode="after")
    def _check_choice(self) -> Self:
        if sum(bound is not None for bound in (self.value, self.norm, self.global_norm)) != 1:
            raise ValueError("it must have exactly one of value, norm, global_norm")
        return self


class OptimizerSpec(MethodSpec):
    """The optimizer, its schedule and gradient clipping."""

    learning_rate: Annotated[float, Field(gt=0, le=1000), NUMBER] = 0.01
    schedule: Annotated[MethodSpec, allow_name(MethodSpec)] = MethodSpec(name="constant")
    gradient_clipping: ClippingSpec | None = None


class EarlyStoppingSpec(SpecPart):
    """Stop when `monitor` has not improved by more than `min_delta` for `patience` epochs."""

    monitor: MetricName = "val_loss"
    #: Null follows the direction of the metric; filled in at admission.
    mode: Mode | None = None
    patience: Epochs = 3
    min_delta: Annotated[float, Field(ge=0), NUMBER] = 0.0
    restore_best: StrictBool = False


class TrainingSpec(SpecPart):
    """The length of the training, its batches and its precision."""

    epochs: Epochs = 20
    batch_size: Annotated[int, Field(ge=1, le=65_536), NUMBER] = 32
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    deterministic: StrictBool = True
    early_stopping: EarlyStoppingSpec | None = None
