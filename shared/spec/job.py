"""The whole specification of a job."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StrictBool

from shared.spec.dataset import DatasetSpec
from shared.spec.diagnostics import MODES, DiagnosticsSpec, expand_mode
from shared.spec.fields import MAX_SEED, NUMBER, PLAIN_TEXT, MethodName, allow_name
from shared.spec.fine_tuning import FineTuningSpec
from shared.spec.loss import LossSpec
from shared.spec.outputs import DEFAULT_CHECKPOINTS, CheckpointSpec, MetricsSpec, TrackingSpec
from shared.spec.part import MethodSpec, SpecPart
from shared.spec.training import OptimizerSpec, TrainingSpec


class InitializerSpec(MethodSpec):
    """The initializer of the network, with overrides for layers whose name matches a pattern."""

    overrides: dict[str, Annotated[MethodSpec, allow_name(MethodSpec)]] = Field(
        default={}, max_length=100
    )


def _expand_null(value: object) -> object:
    """Return the defaults for null."""
    return {} if value is None else value


MAX_RUNTIME_SECONDS = 31_536_000
MaxRuntimeSeconds = Annotated[int, Field(ge=1, le=MAX_RUNTIME_SECONDS), NUMBER]


class ResourcesSpec(SpecPart):
    """The resources that the job needs, and its time limit."""

    gpus: Annotated[int, Field(ge=1, le=64), NUMBER] = 1
    gpu_memory_mib: Annotated[int, Field(ge=1, le=10_000_000), NUMBER] | None = None
    max_runtime_seconds: MaxRuntimeSeconds | None = None
    #: Whether it may continue a checkpoint on another model of GPU, with other last bits.
    allow_inexact: StrictBool = False


MAX_TAGS = 64
TagKey = Annotated[str, Field(min_length=1, max_length=64), PLAIN_TEXT]
TagValue = Annotated[str, Field(max_length=512), PLAIN_TEXT]


class JobSpec(SpecPart):
    """A job specification. Only `dataset` and `architecture` are required."""

    name: Annotated[str, Field(max_length=200), PLAIN_TEXT] = ""
    seed: Annotated[int, Field(ge=0, le=MAX_SEED), NUMBER] = 0
    tags: dict[TagKey, TagValue] = Field(default={}, max_length=MAX_TAGS)
    priority: Literal["low", "normal", "high"] = "normal"
    dataset: Annotated[DatasetSpec, allow_name(DatasetSpec)]
    architecture: Annotated[MethodSpec, allow_name(MethodSpec)]
    initializer: Annotated[InitializerSpec, allow_name(InitializerSpec)] = InitializerSpec(
        name="he_normal"
    )
    regularizers: dict[MethodName, Any] = Field(default={}, max_length=32)
    augmentation: dict[MethodName, Any] = Field(default={}, max_length=32)
    loss: Annotated[LossSpec, allow_name(LossSpec)] = LossSpec(name="cross_entropy")
    optimizer: Annotated[OptimizerSpec, allow_name(OptimizerSpec)] = OptimizerSpec(name="sgd")
    training: TrainingSpec = TrainingSpec()
    fine_tuning: FineTuningSpec | None = None
    checkpoints: Annotated[tuple[CheckpointSpec, ...], Field(max_length=16)] = DEFAULT_CHECKPOINTS
    metrics: MetricsSpec = MetricsSpec()
    tracking: Annotated[
        TrackingSpec, BeforeValidator(_expand_null, json_schema_input_type=TrackingSpec | None)
    ] = TrackingSpec()
    diagnostics: Annotated[
        DiagnosticsSpec,
        BeforeValidator(expand_mode, json_schema_input_type=Literal[MODES] | DiagnosticsSpec),
    ] = DiagnosticsSpec()
    resources: ResourcesSpec = ResourcesSpec()
