"""The job specification: what a person asks for. Structure and bounds only, no names of methods.

Names and parameters of methods are the catalogue's (`shared.catalog`); how many images there
are is the data set's (`shared.datasets`). `shared.admission` puts the three together.
"""

import unicodedata
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    model_validator,
)

#: A name of a file in one folder: no way leads out of it.
TABLE_FILE = r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,180}\.(csv|parquet)$"
MAX_SEED = 2**53 - 1  # the largest integer that every JSON reader keeps exact


class Frozen(BaseModel):
    """A part of a specification: immutable, and unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, allow_inf_nan=False)


def _plain_text(value: str) -> str:
    """Refuse control characters and the invisible ones that reorder or hide text."""
    for character in value:
        if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn"}:
            raise ValueError(
                f"contains the character U+{ord(character):04X}; control, invisible and "
                "bidirectional characters are not allowed"
            )
    return value


def _a_number(value: object) -> object:
    """JSON's true is not a number, whatever Python thinks, and neither is a text with digits."""
    if isinstance(value, bool | str):
        raise ValueError("should be a number")
    return value


def name_or_choice(value: object) -> object:
    """A bare name stands for that method with its defaults."""
    return {"name": value} if isinstance(value, str) else value


PlainText = Annotated[str, AfterValidator(_plain_text)]
Integer = Annotated[int, BeforeValidator(_a_number)]
Number = Annotated[float, BeforeValidator(_a_number)]
MethodName = Annotated[PlainText, Field(min_length=1, max_length=100)]
MetricName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Mode = Literal["min", "max"]


class Choice(BaseModel):
    """A method by name; every other field is a parameter of it."""

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)

    name: MethodName

    @property
    def parameters(self) -> dict[str, Any]:
        """The method's own parameters, without the name and the declared fields."""
        return dict(self.__pydantic_extra__ or {})


class DatasetSpec(Frozen):
    """Which images or rows, how many of each split, in what shape, and what is asked for."""

    name: MethodName
    #: A number that is asked for instead of classes; of a table the column that is asked for.
    target: Annotated[PlainText, Field(min_length=1, max_length=200)] | None = None
    #: Of a table: its file, and the columns that go in (null for all others).
    file: Annotated[str, Field(pattern=TABLE_FILE)] | None = None
    features: (
        Annotated[
            tuple[Annotated[PlainText, Field(min_length=1, max_length=200)], ...],
            Field(min_length=1, max_length=10_000),
        ]
        | None
    ) = None
    #: Of a table: what the file has to hold; filled in with what it holds at submission.
    content_hash: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")] | None = None
    train: Annotated[Integer, Field(ge=1)] | None = None
    validation: Annotated[Integer, Field(ge=1)] | None = None
    test: Annotated[Integer, Field(ge=1)] | None = None
    image_size: Annotated[Integer, Field(ge=8, le=1024)] | None = None
    channels: Literal[1, 3] | None = None
    #: Null stands for `standardize`, and in fine-tuning with weights for `of_weights`.
    normalization: Literal["standardize", "unit", "none", "of_weights"] | None = None


class InitializerSpec(Choice):
    """One initializer for the whole network, with others for layers whose name matches."""

    overrides: dict[str, Annotated[Choice, BeforeValidator(name_or_choice)]] = Field(
        default={}, max_length=100
    )


class ClippingSpec(Frozen):
    """How gradients are clipped: exactly one of the three."""

    value: Annotated[Number, Field(gt=0)] | None = None
    norm: Annotated[Number, Field(gt=0)] | None = None
    global_norm: Annotated[Number, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(bound is not None for bound in (self.value, self.norm, self.global_norm)) != 1:
            raise ValueError("takes exactly one of value, norm, global_norm")
        return self


class OptimizerSpec(Choice):
    """The optimizer with its schedule and clipping."""

    learning_rate: Annotated[Number, Field(gt=0, le=1000)] = 0.01
    schedule: Annotated[Choice, BeforeValidator(name_or_choice)] = Choice(name="constant")
    gradient_clipping: ClippingSpec | None = None


class EarlyStoppingSpec(Frozen):
    """Stop when `monitor` has not improved by more than `min_delta` for `patience` epochs."""

    monitor: MetricName = "val_loss"
    mode: Mode = "min"
    patience: Annotated[Integer, Field(ge=1, le=100_000)] = 3
    min_delta: Annotated[Number, Field(ge=0)] = 0.0
    restore_best: StrictBool = False


class TrainingSpec(Frozen):
    """How long, in what batches and in which arithmetic."""

    epochs: Annotated[Integer, Field(ge=1, le=100_000)] = 20
    batch_size: Annotated[Integer, Field(ge=1, le=65_536)] = 32
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    deterministic: StrictBool = True
    early_stopping: EarlyStoppingSpec | None = None


class WeightsSpec(Frozen):
    """Where the weights that are tuned come from: exactly one of the three."""

    job: Annotated[PlainText, Field(max_length=40)] | None = None
    #: Of the job: an id, `last`, `initial` or `best_<monitor>`; null stands for `last`.
    checkpoint: Annotated[PlainText, Field(max_length=100)] | None = None
    pretrained: MethodName | None = None
    upload: Annotated[PlainText, Field(max_length=40)] | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(part is not None for part in (self.job, self.pretrained, self.upload)) != 1:
            raise ValueError('takes exactly one of "job", "pretrained", "upload"')
        if self.checkpoint is not None and self.job is None:
            raise ValueError('"checkpoint" goes with "job"')
        return self


class HeadSpec(Frozen):
    """The new classifier: flatten → [dense D relu → dropout] for each D → dense M."""

    hidden_units: Annotated[
        tuple[Annotated[Integer, Field(ge=1, le=65_536)], ...], Field(max_length=32)
    ] = (256,)
    dropout: Annotated[Number, Field(ge=0, lt=1)] = 0.3


def _train(value: object) -> object:
    """Which layers a stage trains: "head", "all" or {"from": pattern}."""
    is_place = isinstance(value, dict) and list(value) == ["from"]
    pattern = value["from"] if isinstance(value, dict) and is_place else None
    if value not in ("head", "all") and not (isinstance(pattern, str) and 0 < len(pattern) <= 200):
        raise ValueError('takes "head", "all" or {"from": the name or pattern of a layer}')
    return value


class StageSpec(Frozen):
    """A stage of fine-tuning. What is null is the specification's own."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    train: Annotated[Any, AfterValidator(_train)] = "all"
    epochs: Annotated[Integer, Field(ge=1, le=100_000)]
    optimizer: Annotated[OptimizerSpec, BeforeValidator(name_or_choice)] | None = None
    early_stopping: EarlyStoppingSpec | None = None

    @property
    def first(self) -> str | None:
        """The first layer that is trained; None for all."""
        if isinstance(self.train, dict):
            return self.train["from"]
        return None if self.train == "all" else self.train


class FineTuningSpec(Frozen):
    """Go on with weights that were trained before, under a new head, in stages."""

    #: Null for random ones: what the weights were worth is seen against that.
    weights: WeightsSpec | None = None
    head: HeadSpec = HeadSpec()
    stages: Annotated[tuple[StageSpec, ...], Field(min_length=1, max_length=16)]

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [stage.name for stage in self.stages]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"has two stages of the name {twice!r}")
        return self


class CheckpointSpec(Frozen):
    """One rule for keeping checkpoints: the best of a metric, one epoch's, or a series."""

    monitor: MetricName | None = None
    mode: Mode | None = None
    epoch: Literal[0] | None = None
    every_epochs: Annotated[Integer, Field(ge=1, le=100_000)] | None = None

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        rules = sum(part is not None for part in (self.monitor, self.epoch, self.every_epochs))
        if rules != 1:
            raise ValueError(
                'takes exactly one of {"monitor", "mode"}, {"epoch": 0}, {"every_epochs": n}'
            )
        if (self.monitor is None) != (self.mode is None):
            raise ValueError('"monitor" and "mode" ("min" or "max") go together')
        return self


class MetricsSpec(Frozen):
    """Which top-k accuracies are computed; null stands for 1 and 5, as far as classes admit."""

    top_k: Annotated[tuple[Annotated[Integer, Field(ge=1)], ...], Field(max_length=20)] | None = (
        None
    )


def _switch(value: object) -> object:
    """True stands for the defaults, false for nothing."""
    return ({} if value else None) if isinstance(value, bool) else value


class TensorBoardSpec(Frozen):
    """What is written for TensorBoard beside curves, the first layer's weights and the graph."""

    #: Of every weight, at the start and after each epoch.
    histograms: StrictBool = True
    #: The same of the weights' gradients on a fixed sample of the training split.
    gradients: StrictBool = True


class TrackingSpec(Frozen):
    """Where else a training is written down; the database and MLflow have it in any case."""

    tensorboard: Annotated[TensorBoardSpec | None, BeforeValidator(_switch)] = None


class ResourcesSpec(Frozen):
    """What the job may take of the box."""

    gpus: Annotated[Integer, Field(ge=1, le=64)] = 1
    gpu_memory_mib: Annotated[Integer, Field(ge=1, le=10_000_000)] | None = None
    max_runtime_seconds: Annotated[Integer, Field(ge=1, le=31_536_000)] | None = None


BEST_OF_BOTH = (
    CheckpointSpec(monitor="val_loss", mode="min"),
    CheckpointSpec(monitor="val_accuracy", mode="max"),
)

TagKey = Annotated[PlainText, Field(min_length=1, max_length=64)]
TagValue = Annotated[PlainText, Field(max_length=512)]


class JobSpec(Frozen):
    """A whole specification. Only `dataset` and `architecture` are required."""

    name: Annotated[PlainText, Field(max_length=200)] = ""
    seed: Annotated[Integer, Field(ge=0, le=MAX_SEED)] = 0
    tags: Annotated[dict[TagKey, TagValue], Field(max_length=64)] = {}
    priority: Literal["low", "normal", "high"] = "normal"
    dataset: Annotated[DatasetSpec, BeforeValidator(name_or_choice)]
    architecture: Annotated[Choice, BeforeValidator(name_or_choice)]
    initializer: Annotated[InitializerSpec, BeforeValidator(name_or_choice)] = InitializerSpec(
        name="he_normal"
    )
    regularizers: Annotated[dict[MethodName, Any], Field(max_length=32)] = {}
    augmentation: Annotated[dict[MethodName, Any], Field(max_length=32)] = {}
    loss: Annotated[Choice, BeforeValidator(name_or_choice)] = Choice(name="cross_entropy")
    optimizer: Annotated[OptimizerSpec, BeforeValidator(name_or_choice)] = OptimizerSpec(name="sgd")
    training: TrainingSpec = TrainingSpec()
    fine_tuning: FineTuningSpec | None = None
    checkpoints: Annotated[tuple[CheckpointSpec, ...], Field(max_length=16)] = BEST_OF_BOTH
    metrics: MetricsSpec = MetricsSpec()
    tracking: TrackingSpec = TrackingSpec()
    resources: ResourcesSpec = ResourcesSpec()
