"""The job specification: what a person asks for. Structure and bounds only, no names of methods.

Names and parameters of methods are the catalogue's (`shared.catalog`); how many images there
are is the data set's (`shared.datasets`). Whoever admits a job puts the three together.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from shared.fields import (
    MAX_SEED,
    NUMBER,
    PLAIN_TEXT,
    ColumnName,
    Count,
    Epochs,
    Layers,
    MethodName,
    MetricName,
    Mode,
    StageName,
    TableFile,
    allow_name,
)


class SpecPart(BaseModel):
    """A part of a specification: immutable, and unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, allow_inf_nan=False)


class MethodSpec(BaseModel):
    """A method by name; every other field is a parameter of it."""

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)

    name: MethodName

    @property
    def parameters(self) -> dict[str, Any]:
        """The method's own parameters, without the name and the declared fields."""
        return dict(self.__pydantic_extra__ or {})


class DatasetSpec(SpecPart):
    """Which images or rows, how many of each split, in what shape, and what is asked for."""

    name: MethodName
    #: A number that is asked for instead of classes; of a table the column that is asked for.
    target: ColumnName | None = None
    #: Of a table: its file, and the columns that go in (null for all others).
    file: TableFile | None = None
    features: Annotated[tuple[ColumnName, ...], Field(min_length=1, max_length=10_000)] | None = (
        None
    )
    #: Of a table: what the file has to hold; filled in with what it holds at submission.
    content_hash: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")] | None = None
    train: Count | None = None
    validation: Count | None = None
    test: Count | None = None
    image_size: Annotated[int, Field(ge=8, le=1024), NUMBER] | None = None
    channels: Literal[1, 3] | None = None
    #: Null stands for `standardize`, and in fine-tuning with weights for `of_weights`.
    normalization: Literal["standardize", "unit", "none", "of_weights"] | None = None


class InitializerSpec(MethodSpec):
    """One initializer for the whole network, with others for layers whose name matches."""

    overrides: dict[str, Annotated[MethodSpec, allow_name(MethodSpec)]] = Field(
        default={}, max_length=100
    )


#: What a gradient is clipped to: a float32, which ends at 3.4e38.
Bound = Annotated[float, Field(gt=0, le=1e30), NUMBER]


class ClippingSpec(SpecPart):
    """How gradients are clipped: exactly one of the three."""

    value: Bound | None = None
    norm: Bound | None = None
    global_norm: Bound | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(bound is not None for bound in (self.value, self.norm, self.global_norm)) != 1:
            raise ValueError("it must have exactly one of value, norm, global_norm")
        return self


class OptimizerSpec(MethodSpec):
    """The optimizer with its schedule and clipping."""

    learning_rate: Annotated[float, Field(gt=0, le=1000), NUMBER] = 0.01
    schedule: Annotated[MethodSpec, allow_name(MethodSpec)] = MethodSpec(name="constant")
    gradient_clipping: ClippingSpec | None = None


class EarlyStoppingSpec(SpecPart):
    """Stop when `monitor` has not improved by more than `min_delta` for `patience` epochs."""

    monitor: MetricName = "val_loss"
    mode: Mode = "min"
    patience: Epochs = 3
    min_delta: Annotated[float, Field(ge=0), NUMBER] = 0.0
    restore_best: StrictBool = False


class TrainingSpec(SpecPart):
    """How long, in what batches and in which arithmetic."""

    epochs: Epochs = 20
    batch_size: Annotated[int, Field(ge=1, le=65_536), NUMBER] = 32
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    deterministic: StrictBool = True
    early_stopping: EarlyStoppingSpec | None = None


class WeightsSpec(SpecPart):
    """Where the weights that are tuned come from: exactly one of the three."""

    job: Annotated[str, Field(max_length=40), PLAIN_TEXT] | None = None
    #: Of the job: an id, `last`, `initial` or `best_<monitor>`; null stands for `last`.
    checkpoint: Annotated[str, Field(max_length=100), PLAIN_TEXT] | None = None
    pretrained: MethodName | None = None
    upload: Annotated[str, Field(max_length=40), PLAIN_TEXT] | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
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
    """A stage of fine-tuning. What is null is the specification's own."""

    name: StageName
    train: Layers = "all"
    epochs: Epochs
    optimizer: Annotated[OptimizerSpec, allow_name(OptimizerSpec)] | None = None
    early_stopping: EarlyStoppingSpec | None = None

    @property
    def first(self) -> str | None:
        """The first layer that is trained; None for all."""
        if isinstance(self.train, dict):
            return self.train["from"]
        return None if self.train == "all" else self.train


def _names_differ(stages: tuple[StageSpec, ...]) -> tuple[StageSpec, ...]:
    """Refuse the second stage of a name, and say which it is."""
    names = [stage.name for stage in stages]
    again = [
        InitErrorDetails(
            type=PydanticCustomError("name_again", "an earlier stage has the same name"),
            loc=(place, "name"),
            input=name,
        )
        for place, name in enumerate(names)
        if name in names[:place]
    ]
    if again:
        raise ValidationError.from_exception_data("stages", again)
    return stages


class FineTuningSpec(SpecPart):
    """Go on with weights that were trained before, under a new head, in stages."""

    #: Null for random ones: what the weights were worth is seen against that.
    weights: WeightsSpec | None = None
    head: HeadSpec = HeadSpec()
    stages: Annotated[
        tuple[StageSpec, ...],
        Field(min_length=1, max_length=16),
        AfterValidator(_names_differ),
    ]


class CheckpointSpec(SpecPart):
    """One rule for keeping checkpoints: the best of a metric, one epoch's, or a series."""

    monitor: MetricName | None = None
    mode: Mode | None = None
    epoch: Literal[0] | None = None
    every_epochs: Epochs | None = None

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        rules = sum(part is not None for part in (self.monitor, self.epoch, self.every_epochs))
        if rules != 1:
            raise ValueError("it must have exactly one of monitor, epoch, every_epochs")
        if (self.monitor is None) != (self.mode is None):
            raise ValueError('it must have monitor and mode ("min" or "max") together')
        return self


class MetricsSpec(SpecPart):
    """Which top-k accuracies are computed; null stands for 1 and 5, as far as classes admit."""

    top_k: Annotated[tuple[Count, ...], Field(max_length=20)] | None = None


def _switch(value: object) -> object:
    """True stands for the defaults, false for nothing."""
    return ({} if value else None) if isinstance(value, bool) else value


class TensorBoardSpec(SpecPart):
    """What is written for TensorBoard beside curves, the first layer's weights and the graph."""

    #: Of every weight, at the start and after each epoch.
    histograms: StrictBool = True
    #: The same of the weights' gradients on a fixed sample of the training split.
    gradients: StrictBool = True


class TrackingSpec(SpecPart):
    """Where else a training is written down; the database and MLflow have it in any case."""

    tensorboard: Annotated[
        TensorBoardSpec | None,
        BeforeValidator(_switch, json_schema_input_type=TensorBoardSpec | bool | None),
    ] = None


def _nothing(value: object) -> object:
    """Null is as good as leaving it out."""
    return {} if value is None else value


class ResourcesSpec(SpecPart):
    """What the job may take of the box."""

    gpus: Annotated[int, Field(ge=1, le=64), NUMBER] = 1
    gpu_memory_mib: Annotated[int, Field(ge=1, le=10_000_000), NUMBER] | None = None
    max_runtime_seconds: Annotated[int, Field(ge=1, le=31_536_000), NUMBER] | None = None


DEFAULT_CHECKPOINTS = (
    CheckpointSpec(monitor="val_loss", mode="min"),
    CheckpointSpec(monitor="val_accuracy", mode="max"),
)

TagKey = Annotated[str, Field(min_length=1, max_length=64), PLAIN_TEXT]
TagValue = Annotated[str, Field(max_length=512), PLAIN_TEXT]


class JobSpec(SpecPart):
    """A whole specification. Only `dataset` and `architecture` are required."""

    name: Annotated[str, Field(max_length=200), PLAIN_TEXT] = ""
    seed: Annotated[int, Field(ge=0, le=MAX_SEED), NUMBER] = 0
    tags: Annotated[dict[TagKey, TagValue], Field(max_length=64)] = {}
    priority: Literal["low", "normal", "high"] = "normal"
    dataset: Annotated[DatasetSpec, allow_name(DatasetSpec)]
    architecture: Annotated[MethodSpec, allow_name(MethodSpec)]
    initializer: Annotated[InitializerSpec, allow_name(InitializerSpec)] = InitializerSpec(
        name="he_normal"
    )
    regularizers: Annotated[dict[MethodName, Any], Field(max_length=32)] = {}
    augmentation: Annotated[dict[MethodName, Any], Field(max_length=32)] = {}
    loss: Annotated[MethodSpec, allow_name(MethodSpec)] = MethodSpec(name="cross_entropy")
    optimizer: Annotated[OptimizerSpec, allow_name(OptimizerSpec)] = OptimizerSpec(name="sgd")
    training: TrainingSpec = TrainingSpec()
    fine_tuning: FineTuningSpec | None = None
    checkpoints: Annotated[tuple[CheckpointSpec, ...], Field(max_length=16)] = DEFAULT_CHECKPOINTS
    metrics: MetricsSpec = MetricsSpec()
    tracking: Annotated[
        TrackingSpec, BeforeValidator(_nothing, json_schema_input_type=TrackingSpec | None)
    ] = TrackingSpec()
    resources: ResourcesSpec = ResourcesSpec()
