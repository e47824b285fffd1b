"""Fine-tuning: weights, head and stages."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from shared.spec.fields import NUMBER, PLAIN_TEXT, Epochs, Layers, MethodName, StageName, allow_name
from shared.spec.part import SpecPart
from shared.spec.training import EarlyStoppingSpec, OptimizerSpec


class WeightsSpec(SpecPart):
    """The weights to start with: of a job, pretrained or uploaded, exactly one of the three."""

    job: Annotated[str, Field(max_length=40), PLAIN_TEXT] | None = None
    #: The job's checkpoint: an id, `last`, `initial` or `best_<monitor>`; null stands for `last`.
    checkpoint: Annotated[str, Field(min_length=1, max_length=100), PLAIN_TEXT] | None = None
    pretrained: MethodName | None = None
    upload: Annotated[str, Field(max_length=40), PLAIN_TEXT] | None = None

    @model_validator(mode="after")
    def _check_choice(self) -> Self:
        if sum(part is not None for part in (self.job, self.pretrained, self.upload)) != 1:
            raise ValueError("it must have exactly one of job, pretrained, upload")
        if self.checkpoint is not None and self.job is None:
            raise ValueError("it must have no checkpoint without a job")
        return self


class HeadSpec(SpecPart):
    """The new classifier: flatten → [dense D relu → dropout] for each D → dense M."""

    hidden_units: Annotated[
        tuple[Annotated[int, Field(ge=1, le=65_536), NUMBER], ...], Field(max_length=32)
    ] = (256,)
    dropout: Annotated[float, Field(ge=0, lt=1), NUMBER] = 0.3


class StageSpec(SpecPart):
    """A stage of fine-tuning. Null stands for the value of the whole specification."""

    name: StageName
    train: Layers = "all"
    epochs: Epochs
    optimizer: Annotated[OptimizerSpec, allow_name(OptimizerSpec)] | None = None
    early_stopping: EarlyStoppingSpec | None = None
    #: Whether the body's batch norm keeps its running statistics (`frozen`) or updates them and
    #: normalizes by the batch (`train`); null: `frozen` with trained weights, else `train`.
    batch_norm: Literal["frozen", "train"] | None = None

    @property
    def first_trained_layer(self) -> str | None:
        """The name or pattern of the first layer to train; None for all layers."""
        if isinstance(self.train, dict):
            return self.train["from"]
        return None if self.train == "all" else self.train


def _check_names(stages: tuple[StageSpec, ...]) -> tuple[StageSpec, ...]:
    """Refuse every stage whose name an earlier stage has."""
    names = [stage.name for stage in stages]
    duplicates = [
        InitErrorDetails(
            type=PydanticCustomError("duplicate_name", "an earlier stage has the same name"),
            loc=(index, "name"),
            input=name,
        )
        for index, name in enumerate(names)
        if name in names[:index]
    ]
    if duplicates:
        raise ValidationError.from_exception_data("stages", duplicates)
    return stages


class FineTuningSpec(SpecPart):
    """Training in stages under a new head, usually with weights that are already trained."""

    #: Null for random weights, as a baseline.
    weights: WeightsSpec | None = None
    head: HeadSpec = HeadSpec()
    stages: Annotated[
        tuple[StageSpec, ...],
        Field(min_length=1, max_length=16),
        AfterValidator(_check_names),
    ]
