"""The outputs of a job: checkpoints, metrics and event files."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, StrictBool, model_validator

from shared.spec.fields import Count, Epochs, MetricName, Mode, one_of_numbers
from shared.spec.part import SpecPart


class CheckpointSpec(SpecPart):
    """A rule for keeping checkpoints: the best by a metric, the initial weights, or a series."""

    monitor: MetricName | None = None
    #: Null follows the direction of the metric; filled in at admission.
    mode: Mode | None = None
    epoch: Annotated[Literal[0], one_of_numbers(0)] | None = None
    every_epochs: Epochs | None = None

    @model_validator(mode="after")
    def _check_rule(self) -> Self:
        rules = sum(part is not None for part in (self.monitor, self.epoch, self.every_epochs))
        if rules != 1:
            raise ValueError("it must have exactly one of monitor, epoch, every_epochs")
        if self.monitor is None and self.mode is not None:
            raise ValueError("it must have no mode without a monitor")
        return self


class MetricsSpec(SpecPart):
    """The k of the top-k accuracies; null stands for 1 and 5, up to the number of classes."""

    top_k: Annotated[tuple[Count, ...], Field(max_length=20)] | None = None


def _expand_switch(value: object) -> object:
    """Return the defaults for true, and null for false."""
    return ({} if value else None) if isinstance(value, bool) else value


class TensorBoardSpec(SpecPart):
    """The contents of event files besides curves, the first layer's weights and the graph."""

    #: Histograms of every weight, at the start and after each epoch.
    histograms: StrictBool = True
    #: Histograms of the gradients for a fixed sample of the training split.
    gradients: StrictBool = True


class TrackingSpec(SpecPart):
    """Additional records of the training, besides the database and MLflow."""

    tensorboard: Annotated[
        TensorBoardSpec | None,
        BeforeValidator(_expand_switch, json_schema_input_type=TensorBoardSpec | bool | None),
    ] = None


DEFAULT_CHECKPOINTS = (
    CheckpointSpec(monitor="val_loss", mode="min"),
    CheckpointSpec(monitor="val_accuracy", mode="max"),
)
