"""Building an `Experiment` from a filled specification and data."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from shared.spec import CheckpointSpec, ClippingSpec, EarlyStoppingSpec, JobSpec, StageSpec
from worker.augmentations.compose import compose
from worker.data.job_data import Data
from worker.data.normalization import choose_normalization
from worker.registry import (
    SpecError,
    architectures,
    initializers,
    losses,
    optimizers,
    regularizers,
    schedules,
)
from worker.regularizers.overrides import architecture_parameters, build_regularizers, new_head
from worker.schedules.schedule import Schedule
from worker.training.class_weights import weighted, weights_of
from worker.training.clipping import Clipping
from worker.training.experiment import CheckpointRules, Experiment, Stage
from worker.training.head import Head, put_new_head
from worker.training.initialization import initialize
from worker.training.meta_model import build_on_meta
from worker.training.selection import Best, EarlyStopping, Mode
from worker.training.targets import scale_of
from worker.training.transfer import Weights, load_body

#: The name of the only stage of a job without fine-tuning.
STAGE = "training"


def build(
    spec: JobSpec,
    data: Data,
    *,
    device: torch.device | str = "cpu",
    weights: Weights | None = None,
) -> Experiment:
    """Build an experiment.

    Args:
        spec: a filled specification, as admission records it.
        data: images and labels of the three splits.
        device: the device to train on.
        weights: the weights that fine-tuning starts from.

    Raises:
        SpecError: a name or a parameter is not allowed, or parts do not fit together.
    """
    _check_loss(spec, len(data.class_names))
    built = build_regularizers(spec.regularizers)
    name = spec.architecture.name
    parameters = architecture_parameters(name, spec.architecture.parameters, built)
    head = spec.fine_tuning and new_head(spec.fine_tuning.head.model_dump(), built)
    model = _model(spec, data, parameters, head)
    if weights is not None:
        load_body(model, weights.tensors)
    loss = losses.bind(spec.loss.name, spec.loss.parameters)
    images_NCHW, labels_N = data.splits.train.images, data.splits.train.labels
    weights_M = weights_of(spec.loss.class_weights, data.class_names, labels_N)
    return Experiment(
        model=model.to(device),
        architecture={"name": name, **parameters, **({"head": vars(head)} if head else {})},
        splits=data.splits,
        class_names=data.class_names,
        features=data.features,
        normalization=choose_normalization(spec.dataset.normalization, images_NCHW, weights),
        weights_normalization=None if weights is None else weights.normalization,
        loss=loss,
        target_scale=scale_of(spec.dataset.target_normalization, labels_N),
        training_loss=None if weights_M is None else weighted(loss, weights_M.to(device)),
        class_weights=None if weights_M is None else weights_M.to(device),
        stages=_stages(spec),
        regularizers=tuple(built.values()),
        is_mixed=any(regularizers.get(name).facts.get("mixes_targets") for name in built),
        augment=compose(spec.augmentation),
        checkpoints=_checkpoint_rules(spec.checkpoints),
        top_k=_top_k(spec),
        precision=spec.training.precision,
        deterministic=spec.training.deterministic,
        seed=spec.seed,
        device=torch.device(device),
    )


def is_regression(spec: JobSpec) -> bool:
    """Return whether the loss is for a number, not for classes."""
    return losses.get(spec.loss.name).facts.get("target") == "number"


def _check_loss(spec: JobSpec, classes: int) -> None:
    """Guard against a loss that does not fit the data; admission reports it with a pointer."""
    only = losses.get(spec.loss.name).facts.get("classes", classes)
    if is_regression(spec) == bool(classes) or only != classes:
        raise SpecError(f"The loss {spec.loss.name} does not fit a data set of {classes} classes.")


def _model(
    spec: JobSpec, data: Data, parameters: Mapping[str, Any], head: Head | None
) -> nn.Module:
    """Build the network with its initial weights, on the CPU, in channels-last order."""
    name, outputs = spec.architecture.name, len(data.class_names) or 1
    build_on_meta(name, parameters, data.image_shape, outputs, head)  # fails before using memory
    architecture = architectures.get(name)
    model = architecture.function(data.image_shape, outputs, **parameters)
    if head is not None:
        put_new_head(model, outputs, head)
    initializer = spec.initializer
    initialize(
        model,
        spec.seed,
        initializers.bind(initializer.name, initializer.parameters),
        overrides={
            pattern: initializers.bind(choice.name, choice.parameters)
            for pattern, choice in initializer.overrides.items()
        },
        activation=parameters.get(architecture.facts["activation_parameter"] or ""),
    )
    return model.to(memory_format=torch.channels_last)


def _stages(spec: JobSpec) -> tuple[Stage, ...]:
    if spec.fine_tuning is not None:
        stages = spec.fine_tuning.stages
    else:
        epochs, stopping = spec.training.epochs, spec.training.early_stopping
        stages = (
            StageSpec(name=STAGE, epochs=epochs, optimizer=spec.optimizer, early_stopping=stopping),
        )
    return tuple(_stage(stage, spec.training.batch_size) for stage in stages)


def _stage(spec: StageSpec, batch_size: int) -> Stage:
    if spec.optimizer is None:
        raise SpecError(f"The optimizer of the stage {spec.name!r} is not filled in.")
    optimizer = spec.optimizer
    schedule: Schedule = schedules.bind(optimizer.schedule.name, optimizer.schedule.parameters)()
    return Stage(
        name=spec.name,
        epochs=spec.epochs,
        batch_size=batch_size,
        learning_rate=optimizer.learning_rate,
        optimizer=optimizers.bind(optimizer.name, optimizer.parameters),
        schedule=schedule.factor,
        clipping=_clipping(optimizer.gradient_clipping),
        early_stopping=_early_stopping(spec.early_stopping),
        first=spec.first_trained_layer,
        keeps_statistics=spec.batch_norm == "frozen",
        plateau=schedule.plateau,
    )


def _clipping(spec: ClippingSpec | None) -> Clipping | None:
    for kind in ("value", "norm", "global_norm"):
        if (bound := getattr(spec, kind, None)) is not None:
            return Clipping(kind, bound)
    return None


def _early_stopping(spec: EarlyStoppingSpec | None) -> EarlyStopping | None:
    if spec is None:
        return None
    best = _best(spec.monitor, spec.mode)
    return EarlyStopping(best, spec.patience, spec.min_delta, spec.restore_best)


def _best(monitor: str, mode: Mode | None) -> Best:
    if mode is None:
        raise SpecError(f"The mode of the monitor {monitor!r} is not filled in.")
    return Best(monitor, mode)


def _checkpoint_rules(specs: tuple[CheckpointSpec, ...]) -> CheckpointRules:
    return CheckpointRules(
        best=tuple(_best(rule.monitor, rule.mode) for rule in specs if rule.monitor),
        every_epochs=tuple(rule.every_epochs for rule in specs if rule.every_epochs),
        initial=any(rule.epoch == 0 for rule in specs),
    )


def _top_k(spec: JobSpec) -> tuple[int, ...]:
    if spec.metrics.top_k is None:
        raise SpecError("metrics.top_k is not filled in.")
    return spec.metrics.top_k
