"""From a filled-in specification and data to an `Experiment`. The only meeting of the two."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from shared.spec import CheckpointSpec, ClippingSpec, EarlyStoppingSpec, JobSpec
from worker.architectures.layers import ImageShape
from worker.registry import (
    Registry,
    architectures,
    initializers,
    losses,
    optimizers,
    regularizers,
    schedules,
)
from worker.regularizers.regularizer import Regularizer
from worker.training.clipping import Clipping
from worker.training.count import build_on_meta
from worker.training.experiment import (
    Best,
    CheckpointRules,
    EarlyStopping,
    Experiment,
    Plateau,
    Split,
    Splits,
    Stage,
)
from worker.training.initialization import initialize
from worker.training.resident import Normalization

DEFAULT_TOP_K = (1, 5)
STAGE = "training"


@dataclass(frozen=True)
class Data:
    """What a training learns from."""

    class_names: tuple[str, ...]
    splits: Splits

    @property
    def image_shape(self) -> ImageShape:
        """Channels, height, width."""
        channels, height, width = self.splits.train.images.shape[1:]
        return channels, height, width


def build(spec: JobSpec, data: Data, *, device: torch.device | str = "cpu") -> Experiment:
    """Build everything that a specification names.

    Args:
        spec: filled in: methods in object form, names and parameters admitted.
        data: images and labels of the three splits.
        device: where it will be trained.

    Raises:
        ValueError: a name or a parameter is not admitted, or they do not fit together.
    """
    device = torch.device(device)
    name = spec.architecture.name
    parameters = architecture_parameters(name, spec.architecture.parameters, spec.regularizers)
    classes = len(data.class_names)
    build_on_meta(name, parameters, data.image_shape, classes)  # refuses before memory is taken
    architecture = architectures.get(name)
    model = architecture.function(data.image_shape, classes, **parameters)
    initialize(
        model,
        spec.seed,
        _bound(initializers, spec.initializer.name, spec.initializer.parameters),
        overrides={
            pattern: _bound(initializers, choice.name, choice.parameters)
            for pattern, choice in spec.initializer.overrides.items()
        },
        activation=parameters.get(architecture.facts["activation_parameter"] or ""),
    )
    top_k = spec.metrics.top_k
    return Experiment(
        model=model.to(device=device, memory_format=torch.channels_last),
        architecture={"name": name, **parameters},
        splits=data.splits,
        class_names=data.class_names,
        normalization=normalization(spec.dataset.normalization, data.splits.train),
        loss=_bound(losses, spec.loss.name, spec.loss.parameters),
        stages=(_stage(spec),),
        regularizers=tuple(_regularizers(spec.regularizers).values()),
        checkpoints=_checkpoints(spec.checkpoints),
        top_k=DEFAULT_TOP_K if top_k is None else top_k,
        precision=spec.training.precision,
        deterministic=spec.training.deterministic,
        seed=spec.seed,
        device=device,
    )


def architecture_parameters(
    name: str, given: Mapping[str, Any], regularization: Mapping[str, Any]
) -> dict[str, Any]:
    """An architecture's parameters, defaults filled in and what regularizers set put over them.

    Args:
        name: the architecture.
        given: what the specification gives it.
        regularization: the specification's regularizers, in object form.

    Raises:
        ValueError: something is not admitted, or a regularizer finds nothing to set.
    """
    parameters = architectures.get(name).fill(given)
    for regularizer, built in _regularizers(regularization).items():
        found = {key: value for key, value in built.overrides.items() if key in parameters}
        if built.overrides and not found:
            raise ValueError(
                f"{name} has nothing that the regularizer {regularizer!r} could set; leave it "
                f"out or take an architecture with {' or '.join(built.overrides)}"
            )
        parameters |= found
    return parameters


def normalization(kind: str, train: Split) -> Normalization:
    """How pixels become inputs: `standardize` by the training split, `unit` to [0, 1], `none`.

    Mean and deviation come from a count of each of the 256 values, so they are exact and the
    same on every machine. A channel that never changes is only centred.
    """
    channels = train.images.shape[1]
    if kind == "unit":
        return Normalization((0.0,) * channels, (1.0,) * channels)
    if kind == "none":
        return Normalization((0.0,) * channels, (1 / 255,) * channels)
    moments = [_moments(train.images[:, channel]) for channel in range(channels)]
    return Normalization(
        mean=tuple(mean for mean, _ in moments),
        deviation=tuple(deviation for _, deviation in moments),
    )


def _moments(pixels: Tensor) -> tuple[float, float]:
    """Mean and deviation of uint8 pixels as fractions of 255; a deviation of 0 becomes 1."""
    counts = torch.zeros(256, dtype=torch.float64)
    for part in pixels.split(1024):  # bincount makes integers of 8 bytes, so not all at once
        counts += torch.bincount(part.flatten(), minlength=256)
    values = torch.arange(256, dtype=torch.float64) / 255
    mean = (counts @ values / counts.sum()).item()
    deviation = (counts @ (values - mean).square() / counts.sum()).sqrt().item()
    return mean, deviation or 1.0


def _stage(spec: JobSpec) -> Stage:
    optimizer, schedule = spec.optimizer, spec.optimizer.schedule
    return Stage(
        name=STAGE,
        epochs=spec.training.epochs,
        batch_size=spec.training.batch_size,
        learning_rate=optimizer.learning_rate,
        optimizer=_bound(optimizers, optimizer.name, optimizer.parameters),
        schedule=_bound(schedules, schedule.name, schedule.parameters),
        clipping=_clipping(optimizer.gradient_clipping),
        early_stopping=_early_stopping(spec.training.early_stopping),
        plateau=_plateau(schedules.get(schedule.name).fill(schedule.parameters)),
    )


def _clipping(spec: ClippingSpec | None) -> Clipping | None:
    if spec is None:
        return None
    if spec.value is not None:
        return Clipping("value", spec.value)
    if spec.norm is not None:
        return Clipping("norm", spec.norm)
    if spec.global_norm is not None:
        return Clipping("global_norm", spec.global_norm)
    raise ValueError("gradient_clipping takes exactly one of value, norm, global_norm")


def _early_stopping(spec: EarlyStoppingSpec | None) -> EarlyStopping | None:
    if spec is None:
        return None
    return EarlyStopping(
        best=Best(spec.monitor, spec.mode),
        patience=spec.patience,
        min_delta=spec.min_delta,
        restore_best=spec.restore_best,
    )


def _plateau(schedule: Mapping[str, Any]) -> Plateau | None:
    """What a schedule does at the end of epochs, from its parameters: only if it has a monitor."""
    if "monitor" not in schedule:
        return None
    given = {name: value for name, value in schedule.items() if name != "warmup"}
    return Plateau(Best(given.pop("monitor"), given.pop("mode")), **given)


def _checkpoints(specs: tuple[CheckpointSpec, ...]) -> CheckpointRules:
    return CheckpointRules(
        best=tuple(Best(one.monitor, one.mode) for one in specs if one.monitor and one.mode),
        every_epochs=tuple(one.every_epochs for one in specs if one.every_epochs),
        initial=any(one.epoch == 0 for one in specs),
    )


def _regularizers(given: Mapping[str, Any]) -> dict[str, Regularizer]:
    return {name: _bound(regularizers, name, parameters)() for name, parameters in given.items()}


def _bound(registry: Registry, name: str, parameters: Mapping[str, Any]) -> Callable[..., Any]:
    """A method with its parameters set; what the loop supplies is still open."""
    entry = registry.get(name)
    return partial(entry.function, **entry.fill(parameters))
