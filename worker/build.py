"""From a filled-in specification and data to an `Experiment`. The only meeting of the two."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from shared.spec import (
    CheckpointSpec,
    ClippingSpec,
    EarlyStoppingSpec,
    JobSpec,
    OptimizerSpec,
)
from worker.architectures.layers import ImageShape
from worker.augmentations.compose import Augment
from worker.registry import (
    Registry,
    architectures,
    augmentations,
    initializers,
    losses,
    optimizers,
    regularizers,
    schedules,
)
from worker.regularizers.regularizer import Regularizer
from worker.training.clipping import Clipping
from worker.training.device_split import Normalization
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
from worker.training.head import Head, put_new_head
from worker.training.initialization import initialize
from worker.training.meta_model import build_on_meta
from worker.training.transfer import Weights, load_body

DEFAULT_TOP_K = (1, 5)
#: The one stage of a training that is not fine-tuning.
STAGE = "training"


@dataclass(frozen=True)
class Data:
    """What a training learns from."""

    #: None where a number is asked for.
    class_names: tuple[str, ...]
    splits: Splits

    @property
    def image_shape(self) -> ImageShape:
        """Channels, height, width."""
        channels, height, width = self.splits.train.images.shape[1:]
        return channels, height, width


def build(
    spec: JobSpec,
    data: Data,
    *,
    device: torch.device | str = "cpu",
    weights: Weights | None = None,
) -> Experiment:
    """Build everything that a specification names.

    Args:
        spec: filled in: methods in object form, names and parameters admitted.
        data: images and labels of the three splits.
        device: where it will be trained.
        weights: what fine-tuning starts from.

    Raises:
        ValueError: a name or a parameter is not admitted, or they do not fit together.
    """
    device = torch.device(device)
    name = spec.architecture.name
    parameters = architecture_parameters(name, spec.architecture.parameters, spec.regularizers)
    outputs = len(data.class_names) or 1
    _check_target(spec.loss.name, len(data.class_names))
    head = None
    if spec.fine_tuning is not None:
        head = new_head(spec.fine_tuning.head.model_dump(), spec.regularizers)
    # Refuses before memory is taken
    build_on_meta(name, parameters, data.image_shape, outputs, head)
    architecture = architectures.get(name)
    model = architecture.function(data.image_shape, outputs, **parameters)
    if head is not None:
        put_new_head(model, outputs, head)
    initialize(
        model,
        spec.seed,
        bound(initializers, spec.initializer.name, spec.initializer.parameters),
        overrides={
            pattern: bound(initializers, choice.name, choice.parameters)
            for pattern, choice in spec.initializer.overrides.items()
        },
        activation=parameters.get(architecture.facts["activation_parameter"] or ""),
    )
    if weights is not None:
        load_body(model, weights.tensors)
    top_k = spec.metrics.top_k
    return Experiment(
        model=model.to(device=device, memory_format=torch.channels_last),
        architecture={"name": name, **parameters, **({"head": vars(head)} if head else {})},
        splits=data.splits,
        class_names=data.class_names,
        normalization=_normalization(spec, data, weights),
        loss=bound(losses, spec.loss.name, spec.loss.parameters),
        stages=_stages(spec),
        regularizers=tuple(built_regularizers(spec.regularizers).values()),
        augment=augment(spec.augmentation),
        checkpoints=_checkpoints(spec.checkpoints),
        top_k=DEFAULT_TOP_K if top_k is None else top_k,
        precision=spec.training.precision,
        deterministic=spec.training.deterministic,
        seed=spec.seed,
        device=device,
    )


def asks_for_a_number(spec: JobSpec) -> bool:
    """Whether the loss is for a number, not for classes.

    Raises:
        ValueError: there is no such loss.
    """
    return losses.get(spec.loss.name).facts.get("target") == "number"


def _check_target(loss: str, classes: int) -> None:
    """A loss has to be for what is asked for: classes or a number.

    Raises:
        ValueError: it is not.
    """
    facts = losses.get(loss).facts
    asked, taken = "classes" if classes else "number", facts.get("target", "classes")
    if asked != taken:
        raise ValueError(f"the loss {loss} is for a target of {taken}, and this is of {asked}")
    if facts.get("classes", classes) != classes:
        raise ValueError(f"the loss {loss} is for {facts['classes']} classes, not for {classes}")


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
    for regularizer, built in built_regularizers(regularization).items():
        found = {key: value for key, value in built.overrides.items() if key in parameters}
        if built.overrides and not found:
            raise ValueError(
                f"{name} has nothing that the regularizer {regularizer!r} could set; leave it "
                f"out or take an architecture with {' or '.join(built.overrides)}"
            )
        parameters |= found
    return parameters


def new_head(given: Mapping[str, Any], regularization: Mapping[str, Any]) -> Head:
    """The head of fine-tuning, with what regularizers set put over what is given.

    Args:
        given: the specification's head.
        regularization: the specification's regularizers, in object form.

    Raises:
        ValueError: something of the regularizers is not admitted.
    """
    parameters = dict(given)
    for built in built_regularizers(regularization).values():
        parameters |= {key: one for key, one in built.overrides.items() if key in parameters}
    return Head(**parameters)


def built_regularizers(given: Mapping[str, Any]) -> dict[str, Regularizer]:
    """The regularizers of a specification by name.

    Args:
        given: parameters by name, in object form.

    Raises:
        ValueError: something is not admitted.
    """
    return {name: bound(regularizers, name, parameters)() for name, parameters in given.items()}


def augment(given: Mapping[str, Any]) -> Augment | None:
    """The augmentations of a specification as one, or None without any.

    Args:
        given: parameters by name, in object form.

    Raises:
        ValueError: something is not admitted.
    """
    built = {name: bound(augmentations, name, own)() for name, own in given.items()}
    return Augment(built) if built else None


def normalization(kind: str, train: Split) -> Normalization:
    """How pixels become inputs: `standardize` by the training split, `unit` to [0, 1], `none`.

    Mean and deviation come from a count of each of the 256 values, so they are exact and the
    same on every machine. A channel that never changes is only centred.
    """
    channels = train.images.shape[1]
    if train.images.dtype == torch.float32:
        return _of_columns(kind, train.images.flatten(1).double())
    if kind == "unit":
        return Normalization((0.0,) * channels, (1.0,) * channels)
    if kind == "none":
        return Normalization((0.0,) * channels, (1 / 255,) * channels)
    moments = [_moments(train.images[:, channel]) for channel in range(channels)]
    return Normalization(
        mean=tuple(mean for mean, _ in moments),
        deviation=tuple(deviation for _, deviation in moments),
    )


def _of_columns(kind: str, rows_NF: Tensor) -> Normalization:
    """The same for a table: by its columns' mean and deviation, or as they are."""
    columns = rows_NF.shape[1]
    if kind == "none":
        return Normalization((0.0,) * columns, (1.0,) * columns, largest=1.0)
    if kind != "standardize":
        raise ValueError(f"normalization {kind} is for images; a table takes standardize or none")
    deviation_F = rows_NF.std(0, correction=0)
    deviation_F[rows_NF.amax(0) == rows_NF.amin(0)] = 1.0
    return Normalization(tuple(rows_NF.mean(0).tolist()), tuple(deviation_F.tolist()), largest=1.0)


def _moments(pixels: Tensor) -> tuple[float, float]:
    """Mean and deviation of uint8 pixels as fractions of 255; a deviation of 0 becomes 1."""
    counts = torch.zeros(256, dtype=torch.float64)
    for part in pixels.split(1024):  # bincount makes integers of 8 bytes, so not all at once
        counts += torch.bincount(part.flatten(), minlength=256)
    values = torch.arange(256, dtype=torch.float64) / 255
    mean = (counts @ values / counts.sum()).item()
    deviation = (counts @ (values - mean).square() / counts.sum()).sqrt().item()
    return mean, deviation or 1.0


def _normalization(spec: JobSpec, data: Data, weights: Weights | None) -> Normalization:
    """The one asked for; of weights the one that they were trained with."""
    kind = spec.dataset.normalization
    if weights is not None and kind in (None, "of_weights"):
        if weights.normalization is None:
            raise ValueError(
                "the weights do not say how their inputs were normalised; give "
                "dataset.normalization as standardize, unit or none"
            )
        return weights.normalization
    return normalization(kind or "standardize", data.splits.train)


def _stages(spec: JobSpec) -> tuple[Stage, ...]:
    if spec.fine_tuning is None:
        return (_stage(spec, STAGE, spec.training.epochs),)
    return tuple(
        _stage(
            spec,
            stage.name,
            stage.epochs,
            optimizer=stage.optimizer,
            early_stopping=stage.early_stopping,
            first=stage.first,
        )
        for stage in spec.fine_tuning.stages
    )


def _stage(
    spec: JobSpec,
    name: str,
    epochs: int,
    *,
    optimizer: OptimizerSpec | None = None,
    early_stopping: EarlyStoppingSpec | None = None,
    first: str | None = None,
) -> Stage:
    """A stage; what it does not say itself is the specification's."""
    optimizer = optimizer or spec.optimizer
    return Stage(
        name=name,
        epochs=epochs,
        batch_size=spec.training.batch_size,
        learning_rate=optimizer.learning_rate,
        optimizer=bound(optimizers, optimizer.name, optimizer.parameters),
        schedule=bound(schedules, optimizer.schedule.name, optimizer.schedule.parameters),
        clipping=_clipping(optimizer.gradient_clipping),
        early_stopping=_early_stopping(early_stopping or spec.training.early_stopping),
        first=first,
        plateau=_plateau(
            schedules.get(optimizer.schedule.name).fill(optimizer.schedule.parameters)
        ),
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


def bound(registry: Registry, name: str, parameters: Mapping[str, Any]) -> Callable[..., Any]:
    """A method with its parameters set; what the loop supplies is still open."""
    entry = registry.get(name)
    return partial(entry.function, **entry.fill(parameters))
