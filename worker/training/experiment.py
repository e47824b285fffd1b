"""The experiment: built objects, everything that `fit` needs and nothing that it looks up."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from worker.registry import SpecError
from worker.regularizers.regularizer import Regularizer
from worker.training.clipping import Clipping
from worker.training.device_split import Augment, Batches, DeviceSplit, Normalization
from worker.training.freezing import check_first
from worker.training.host_split import HostImages, HostSplit
from worker.training.metrics import Conditions, epoch_metric_names
from worker.training.parameters import has_batch_norm, select, weights
from worker.training.precision import Arithmetic, Precision
from worker.training.selection import Best, EarlyStopping, Plateau
from worker.training.targets import TargetScale
from worker.training.task import Classification, Regression, Task
from worker.training.topk import valid_ks

#: Outputs [N, M] and targets → the mean loss, a scalar.
Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Split:
    """The samples of one split, as they come from the data set."""

    #: uint8 [N, C, H, W]; the rows of a table are float64 [N, columns, 1, 1].
    images: Tensor | HostImages
    #: Classes, int64 [N]; or the numbers to predict, in their own unit, float32 or float64 [N].
    labels: Tensor
    #: int64 [N]: the sample's index in the data set.
    indices: Tensor

    def __post_init__(self) -> None:
        """Check types, axes and lengths."""
        if isinstance(self.images, Tensor):
            _check_images(self.images)
        if not len(self.images) == len(self.labels) == len(self.indices) > 0:
            raise ValueError(
                f"A split has {len(self.images)} images, {len(self.labels)} labels and "
                f"{len(self.indices)} indices; it must have as many of each, and at least one."
            )


def _check_images(images: Tensor) -> None:
    is_table = images.is_floating_point() and images.shape[2:] == (1, 1)
    if images.ndim != 4 or not (is_table or images.dtype == torch.uint8):
        raise ValueError(
            f"The images of a split are {images.dtype} {list(images.shape)}; they must be uint8 "
            "[N, C, H, W], or float64 [N, columns, 1, 1]."
        )


@dataclass(frozen=True)
class Splits:
    """The three parts of a data set. `fit` does not touch the test split."""

    train: Split
    validation: Split
    test: Split


@dataclass(frozen=True)
class CheckpointRules:
    """Which states get a checkpoint that is kept."""

    best: tuple[Best, ...] = ()
    every_epochs: tuple[int, ...] = ()
    initial: bool = False


@dataclass(frozen=True)
class Stage:
    """A part of the job with a separate optimizer."""

    name: str
    epochs: int
    batch_size: int
    #: Before schedule and plateau.
    learning_rate: float
    #: Parameters and learning rate → optimizer.
    optimizer: Callable[[list[nn.Parameter], float], torch.optim.Optimizer]
    #: Updates so far and updates of the whole stage → factor on the learning rate.
    schedule: Callable[[int, int], float]
    clipping: Clipping | None = None
    early_stopping: EarlyStopping | None = None
    #: The first layer that is trained, with all after it (see `freezing`); None for all.
    first: str | None = None
    #: Whether the body's batch norm keeps its running statistics (see `freezing`).
    keeps_statistics: bool = False
    #: Lowers the learning rate in addition to the schedule, by the metrics of epochs.
    plateau: Plateau | None = None

    @property
    def monitors(self) -> tuple[str, ...]:
        """The metrics that early stopping and the plateau watch."""
        rules = (self.early_stopping, self.plateau)
        return tuple(rule.best.monitor for rule in rules if rule is not None)


@dataclass(frozen=True)
class Experiment:
    """Everything that `fit` trains with. Training changes the model."""

    model: nn.Module
    #: Name and parameters, as they go into a checkpoint.
    architecture: Mapping[str, Any]
    splits: Splits
    #: Empty for a regression.
    class_names: tuple[str, ...]
    normalization: Normalization
    loss: Loss
    stages: tuple[Stage, ...]
    #: The weighted loss that training minimizes; None for `loss`, which evaluation always uses.
    training_loss: Loss | None = None
    #: The weights of the classes in `training_loss`, float32 [M] on the device; None without.
    class_weights: Tensor | None = None
    #: Of a regression: how its targets are scaled for the network.
    target_scale: TargetScale = field(default_factory=TargetScale)
    #: The columns of a table, in the order of the network's inputs.
    features: tuple[str, ...] = ()
    #: How the weights that fine-tuning starts from expect their inputs, where that is known.
    weights_normalization: Normalization | None = None
    regularizers: tuple[Regularizer, ...] = ()
    #: Changes the pixels of training images, never of others.
    augment: Augment | None = None
    checkpoints: CheckpointRules = field(default_factory=CheckpointRules)
    top_k: tuple[int, ...] = ()
    #: Whether training targets are mixtures of the targets of several samples.
    is_mixed: bool = False
    precision: Precision = "float32"
    deterministic: bool = True
    seed: int = 0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def __post_init__(self) -> None:
        """Refuse what cannot be trained, before anything starts.

        Raises:
            SpecError: its parts do not fit together.
        """
        monitors = [best.monitor for best in self.checkpoints.best]
        for monitor in monitors:
            if monitors.count(monitor) > 1:
                raise SpecError(
                    f"The best checkpoint of {monitor!r} is requested twice; once is enough."
                )
        for stage in self.stages:
            self._check_batches(stage)
            if stage.first is not None:
                check_first(self.model, stage.first)
            names = self.metric_names(stage)
            for monitor in [*monitors, *stage.monitors]:
                if monitor not in names:
                    raise SpecError(
                        f"There is no metric {monitor!r} to monitor. The metrics of this job are: "
                        f"{', '.join(names)}."
                    )
        named = weights(self.model)
        for regularizer in self.regularizers:
            if regularizer.penalty is not None:
                select(named, regularizer.penalty.only, "regularizers")

    def metric_names(self, stage: Stage) -> tuple[str, ...]:
        """Return the metrics that each epoch of a stage reports."""
        job = Conditions(self.task.name, self.is_mixed, stage.clipping is not None)
        return epoch_metric_names(job, self.ks)

    def _check_batches(self, stage: Stage) -> None:
        images = len(self.splits.train.labels)
        if has_batch_norm(self.model) and (stage.batch_size == 1 or images == 1):
            raise SpecError(
                f"Batch norm needs at least two images in a batch, and here a batch has one: "
                f"batch_size is {stage.batch_size}, and the training split has {images} images. "
                "Take larger batches, or batch_norm false."
            )

    @property
    def classes(self) -> int:
        """The number of classes, M; 0 for a regression."""
        return len(self.class_names)

    @cached_property
    def task(self) -> Task:
        """The task of the network."""
        if not self.class_names:
            return Regression(self.target_scale.deviation)
        return Classification(self.ks, self.is_mixed)

    def on_device(self, split: Split) -> Batches:
        """Return batches of a split for the training device; scaled targets in a regression."""
        labels_N = split.labels if self.class_names else self.target_scale.scaled(split.labels)
        if not isinstance(split.images, Tensor):
            return HostSplit(split.images, labels_N, self.normalization, self.device)
        return DeviceSplit(split.images, labels_N, self.normalization, self.device)

    @property
    def ks(self) -> tuple[int, ...]:
        """The k of each top-k accuracy: 1 and the k of `top_k` up to the class count."""
        return valid_ks(self.top_k, self.classes)

    @property
    def arithmetic(self) -> Arithmetic:
        """How forward passes are computed."""
        return Arithmetic(self.precision, self.device)

    @property
    def epochs(self) -> int:
        """Epochs of all stages."""
        return sum(stage.epochs for stage in self.stages)

    def steps_of_epoch(self, stage: Stage) -> int:
        """Return the number of steps in one epoch of a stage.

        A last batch of a single image is left out if there is batch norm, which finds no variance
        in it.
        """
        full_batches, rest = divmod(len(self.splits.train.labels), stage.batch_size)
        return full_batches + (rest > (1 if self._has_batch_norm else 0))

    @cached_property
    def _has_batch_norm(self) -> bool:
        return has_batch_norm(self.model)

    @property
    def steps(self) -> int:
        """Steps of all stages, if none stops early."""
        return sum(stage.epochs * self.steps_of_epoch(stage) for stage in self.stages)
