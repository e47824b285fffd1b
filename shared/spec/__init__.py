"""The job specification: its structure and bounds, without the names of methods.

The catalogue (`shared.catalog`) has the names and parameters of methods, and the data set
(`shared.datasets`) the number of images. Admission checks a specification against all three.
"""

from shared.spec.dataset import DatasetSpec
from shared.spec.diagnostics import DiagnosticsSpec
from shared.spec.fields import MAX_EPOCHS
from shared.spec.fine_tuning import FineTuningSpec, HeadSpec, StageSpec, WeightsSpec
from shared.spec.job import InitializerSpec, JobSpec, ResourcesSpec
from shared.spec.loss import LossSpec
from shared.spec.outputs import CheckpointSpec, MetricsSpec, TensorBoardSpec, TrackingSpec
from shared.spec.part import MethodSpec, SpecPart
from shared.spec.training import ClippingSpec, EarlyStoppingSpec, OptimizerSpec, TrainingSpec

__all__ = [
    "MAX_EPOCHS",
    "CheckpointSpec",
    "ClippingSpec",
    "DatasetSpec",
    "DiagnosticsSpec",
    "EarlyStoppingSpec",
    "FineTuningSpec",
    "HeadSpec",
    "InitializerSpec",
    "JobSpec",
    "LossSpec",
    "MethodSpec",
    "MetricsSpec",
    "OptimizerSpec",
    "ResourcesSpec",
    "SpecPart",
    "StageSpec",
    "TensorBoardSpec",
    "TrackingSpec",
    "TrainingSpec",
    "WeightsSpec",
]
