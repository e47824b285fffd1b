"""What is trained, as built objects: everything `fit` needs and nothing it could look up."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor, nn

from worker.regularizers.regularizer import Regularizer
from worker.training.clipping import Clipping
from worker.training.device_split import Augment, Normalization
from worker.training.freezing import check_first
from worker.training.metrics import Conditions, epoch_metric_names
from worker.training.parameters import has_batch_norm, selected, weights
from worker.training.precision import Arithmetic, Precision
from worker.training.state import PlateauRecord
from worker.training.task import Classification, Regression, Task
from worker.training.topk import valid_ks

Loss = Callable[[Tensor, Tensor], Tensor]
Mode = Literal["min", "max"]


@dataclass(frozen=True)
class Split:
    """Images of one split as they come from the data set."""

    #: uint8 [N, C, H, W]; the rows of a table are float32 [N, columns, 1, 1]
    images: Tensor
    #: int64 [N], classes; or float32 [N], the numbers asked for
    labels: Tensor
    #: int64 [N]: where each lies in the data set.
    indices: Tensor

    def __post_init__(self) -> None:
        """Refuse what is no split."""
        if self.images.dtype not in (torch.uint8, torch.float32) or self.images.ndim != 4:
            raise ValueError(
                f"images are uint8 or float32 [N, C, H, W], and these are {self.images.dtype} "
                f"{list(self.images.shape)}"
            )
        if not len(self.images) == len(self.labels) == len(self.indices) > 0:
            raise ValueError(
                "a split has as many labels and indices as images and at least one, and this "
                f"one has {len(self.images)}, {len(self.labels)}, {len(self.indices)}"
            )


@dataclass(frozen=True)
class Splits:
    """The three parts of a data set; the test split is not touched by `fit`."""

    train: Split
    validation: Split
    test: Split


@dataclass(frozen=True)
class Best:
    """A metric whose best value is looked for."""

    monitor: str
    mode: Mode

    def is_better(self, value: float, than: float | None, min_delta: float = 0.0) -> bool:
        """Whether a value improves on another by more than `min_delta`; NaN never does."""
        if than is None:
            return value == value  # noqa: PLR0124 - false for NaN only
        gain = than - value if self.mode == "min" else value - than
        return gain > min_delta


@dataclass(frozen=True)
class EarlyStopping:
    """Stop after `patience` epochs in a row without improvement."""

    best: Best
    patience: int = 3
    min_delta: float = 0.0
    #: Whether the stage ends with the weights of its best epoch.
    restore_best: bool = False


@dataclass(frozen=True)
class Plateau:
    """Multiply the learning rate by `factor` after `patience` epochs without improvement."""

    best: Best
    factor: float = 0.1
    patience: int = 10
    min_delta: float = 0.0
    #: For how many epochs after a reduction none without improvement counts.
    cooldown: int = 0
    #: The share of the first learning rate that it never falls below.
    final: float = 0.0

    def after(self, record: PlateauRecord, value: float) -> PlateauRecord:
        """The record after one more epoch, which ended with this value of the metric."""
        cooling = max(0, record.cooling - 1)
        if self.best.is_better(value, record.best, self.min_delta):
            return PlateauRecord(best=value, cooling=cooling, factor=record.factor)
        waited = 0 if record.cooling else record.waited + 1
        if waited < self.patience:
            return replace(record, waited=waited, cooling=cooling)
        factor = max(self.final, record.factor * self.factor)
        return PlateauRecord(best=record.best, cooling=self.cooldown, factor=factor)


@dataclass(frozen=True)
class CheckpointRules:
    """Which epochs are worth a checkpoint of their own."""

    best: tuple[Best, ...] = ()
    every_epochs: tuple[int, ...] = ()
    initial: bool = False


@dataclass(frozen=True)
class Stage:
    """A part of the training with its own optimizer."""

    name: str
    epochs: int
    batch_size: int
    learning_rate: float
    #: Parameters and first learning rate → optimizer.
    optimizer: Callable[[list[nn.Parameter], float], torch.optim.Optimizer]
    #: Updates made, updates of the stage → factor on the learning rate.
    schedule: Callable[[int, int], float]
    clipping: Clipping | None = None
    early_stopping: EarlyStopping | None = None
    #: The first layer that is trained, with all after it (see `freezing`); None for all.
    first: str | None = None
    #: Lowers the learning rate beside the schedule, by what epochs end with.
    plateau: Plateau | None = None

    @property
    def monitors(self) -> tuple[str, ...]:
        """The metrics that the stage's course depends on."""
        watching = (self.early_stopping, self.plateau)
        return tuple(rule.best.monitor for rule in watching if rule is not None)


@dataclass(frozen=True)
class Experiment:
    """A training, ready to run. The model is changed by it."""

    model: nn.Module
    #: Name and parameters, as they go into a checkpoint.
    architecture: Mapping[str, Any]
    splits: Splits
    #: None where a number is asked for.
    class_names: tuple[str, ...]
    normalization: Normalization
    loss: Loss
    stages: tuple[Stage, ...]
    regularizers: tuple[Regularizer, ...] = ()
    #: What is done to the pixels of training images; never to others.
    augment: Augment | None = None
    checkpoints: CheckpointRules = field(default_factory=CheckpointRules)
    top_k: tuple[int, ...] = (1, 5)
    #: Whether a training target mixes the targets of several samples.
    is_mixed: bool = False
    precision: Precision = "float32"
    deterministic: bool = True
    seed: int = 0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def __post_init__(self) -> None:
        """Refuse what cannot be trained, before anything starts."""
        monitors = [best.monitor for best in self.checkpoints.best]
        for monitor in monitors:
            if monitors.count(monitor) > 1:
                raise ValueError(
                    f"the best checkpoint of {monitor!r} is asked for twice; once will do"
                )
        for stage in self.stages:
            self._check_batches(stage)
            if stage.first is not None:
                check_first(self.model, stage.first)
            metrics = self.metric_names(stage)
            for monitor in [*monitors, *stage.monitors]:
                if monitor not in metrics:
                    raise ValueError(
                        f"there is no metric {monitor!r} to watch; there are: {', '.join(metrics)}"
                    )
        named = weights(self.model)
        for regularizer in self.regularizers:
            if regularizer.penalty is not None:
                selected(named, regularizer.penalty.only, "regularizers")

    def metric_names(self, stage: Stage) -> tuple[str, ...]:
        """Return the metrics that each epoch of a stage reports."""
        job = Conditions(self.task.name, self.is_mixed, stage.clipping is not None)
        return epoch_metric_names(job, self.ks)

    def _check_batches(self, stage: Stage) -> None:
        images = len(self.splits.train.labels)
        if has_batch_norm(self.model) and (stage.batch_size == 1 or images == 1):
            raise ValueError(
                "batch norm needs at least two images in a batch, and here a batch has one: "
                f"take a larger batch_size than {stage.batch_size} or batch_norm false"
            )

    @property
    def classes(self) -> int:
        """How many classes there are, M."""
        return len(self.class_names)

    @cached_property
    def task(self) -> Task:
        """The task of the network."""
        if not self.class_names:
            return Regression()
        return Classification(self.ks, self.is_mixed)

    @property
    def ks(self) -> tuple[int, ...]:
        """The k of each top-k accuracy: 1 and those asked for, up to the class count."""
        return valid_ks(self.top_k, self.classes)

    @property
    def arithmetic(self) -> Arithmetic:
        """How forward passes are computed."""
        return Arithmetic(self.precision, self.device)

    @property
    def epochs(self) -> int:
        """Epochs of all stages."""
        return sum(stage.epochs for stage in self.stages)

    @property
    def leaves_one_out(self) -> bool:
        """Whether a batch of one sample has to be left out, since batch norm is there."""
        return has_batch_norm(self.model)

    def steps_of_epoch(self, stage: Stage) -> int:
        """Steps of one epoch of a stage."""
        full, rest = divmod(len(self.splits.train.labels), stage.batch_size)
        return full + (rest > (1 if self.leaves_one_out else 0))

    @property
    def steps(self) -> int:
        """Steps of all stages, if none stops early."""
        return sum(stage.epochs * self.steps_of_epoch(stage) for stage in self.stages)
