"""What is measured of a training, as plain numbers that can be stored and read again."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from worker.diagnostics.on_demand import (
    GradientNoise,
    ShuffledControl,
    control_of_json,
    noise_of_json,
)


@dataclass(frozen=True, kw_only=True)
class LayerReading:
    """A layer on the sample: a weight layer by its outputs and gradients, or an activation."""

    name: str
    #: The name of an activation function; None for a weight layer.
    function: str | None = None
    #: Over samples, units and positions: of pre-activations for a weight layer.
    mean: float = 0.0
    deviation: float = 0.0
    #: The share of units, channels over all positions, that no sample activates.
    dead_share: float | None = None
    #: The share of elements in the flat parts of a bounded function.
    saturated_share: float | None = None
    #: ‖∂L/∂W‖ and the mean of |∂L/∂W|; None for a frozen layer and for an activation.
    gradient_norm: float | None = None
    gradient_mean: float | None = None
    #: The units of a weight layer; and whether all of its rows are equal.
    units: int = 0
    is_symmetric: bool = False
    #: Whether batch norm follows before the next weight layer.
    is_normalized: bool = False


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The network on a fixed sample of the training split, at one moment."""

    step: int
    epoch: int
    samples: int
    #: The plain data loss, with the statistics of the batch in batch norm and without dropout.
    loss: float
    #: The same with running statistics; None without batch norm.
    running_loss: float | None
    #: The mean over samples of the variance of a sample's outputs over the classes.
    output_variance: float
    #: The deviation of outputs over samples, divided by the deviation over classes.
    output_spread: float
    #: Of a classification: the share of the class predicted most often, and its true share.
    predicted_share: float | None = None
    true_share: float | None = None
    predicted_class: str | None = None
    accuracy: float | None = None
    #: Trained weight matrices that the loss does not depend on.
    unused: tuple[str, ...] = ()
    #: Of pretrained weights before the first step: |mean of the batch − running mean| over the
    #: running deviation, as a mean over the channels of the first batch norm.
    statistics_shift: float | None = None
    #: In the order of the forward pass.
    layers: tuple[LayerReading, ...] = ()

    @property
    def weight_layers(self) -> tuple[LayerReading, ...]:
        """The layers with weights."""
        return tuple(layer for layer in self.layers if layer.function is None)

    @property
    def activations(self) -> tuple[LayerReading, ...]:
        """The activation functions."""
        return tuple(layer for layer in self.layers if layer.function is not None)

    @classmethod
    def of_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the reading that `asdict` stored."""
        layers = tuple(LayerReading(**layer) for layer in data["layers"])
        return cls(**{**data, "layers": layers, "unused": tuple(data.get("unused", ()))})


@dataclass(frozen=True, kw_only=True)
class Update:
    """How much a step changed the weights: ‖Δw‖/‖w‖ by weight matrix, in the network's order."""

    step: int
    epoch: int
    #: The learning rate as a fraction of the stage's.
    rate_fraction: float
    ratios: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class EpochReading:
    """An epoch: its metrics, and statistics of its steps."""

    epoch: int
    step: int
    metrics: Mapping[str, float]
    #: Of the data losses of the steps.
    loss_mean: float
    loss_deviation: float
    #: The means over steps whose gradient is finite.
    gradient_norm: float
    penalty: float


@dataclass(frozen=True, kw_only=True)
class Step:
    """The results of a step."""

    step: int
    data_loss: float
    penalty: float
    gradient_norm: float
    learning_rate: float


@dataclass(frozen=True, kw_only=True)
class Divergence:
    """Where a training stopped being finite."""

    step: int
    what: str
    #: The first tensor, in the order of the network, whose gradient is not finite.
    tensor: str | None
    #: The first layer of a forward pass, with the weights as they are now, that is not finite.
    layer: str | None
    #: The last finite loss and gradient norm before it.
    last_loss: float | None
    last_norm: float | None
    learning_rate: float | None
    precision: str


@dataclass(frozen=True, kw_only=True)
class RangeTest:
    """The loss while the learning rate rises, from the initial weights.

    Source: Smith 2017, Cyclical learning rates for training neural networks, arXiv:1506.01186.
    """

    #: Learning rate and smoothed loss.
    curve: tuple[tuple[float, float], ...]
    #: The rate from which on the loss rises; None if it never does.
    diverging: float | None
    #: A tenth of the rate with the lowest loss; None where no rate lowers the loss.
    suggested: float | None


@dataclass(frozen=True, kw_only=True)
class SplitReading:
    """A split before the training."""

    samples: int
    #: By class; empty for a regression.
    counts: tuple[int, ...] = ()
    #: Per channel, of normalized inputs.
    means: tuple[float, ...] = ()
    deviations: tuple[float, ...] = ()
    largest: float = 0.0
    #: The samples of `means`.
    measured: int = 0


@dataclass(frozen=True, kw_only=True)
class BatchesReading:
    """The labels of the first epoch's batches, in their order."""

    batches: int
    #: Batches whose samples all have the same label, and how many a random order has on average.
    single: int
    expected_single: float
    #: The numbers of the first of them, from 1.
    first_single: tuple[int, ...]
    #: How many deviations fewer changes of the label from sample to sample there are than in a
    #: random order.
    order_deviations: float


@dataclass(frozen=True, kw_only=True)
class DataReading:
    """The data before the training."""

    splits: Mapping[str, SplitReading]
    class_names: tuple[str, ...]
    is_image: bool
    #: Images of validation and test whose pixels are in the training split too; None: not counted.
    shared: Mapping[str, int] | None = None
    #: Training images that have the pixels of another image and another label.
    conflicting: int | None = None
    #: Training images whose pixels are all equal.
    constant: int | None = None
    #: Whether all channels are equal.
    is_grey: bool = False
    parameters: int = 0
    batches: BatchesReading | None = None
    #: Means and deviations of the training inputs as the weights that are fine-tuned expect them;
    #: None where that is not known.
    expected: SplitReading | None = None

    @classmethod
    def of_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the reading that `asdict` stored."""
        splits = {name: SplitReading(**split) for name, split in data["splits"].items()}
        batches, expected = data.get("batches"), data.get("expected")
        return cls(
            **{
                **data,
                "splits": splits,
                "class_names": tuple(data["class_names"]),
                "batches": batches and BatchesReading(**batches),
                "expected": expected and SplitReading(**expected),
            }
        )


@dataclass
class StepSums:
    """The sums over the steps of the unfinished epoch."""

    steps: int = 0
    loss: float = 0.0
    squared_loss: float = 0.0
    penalty: float = 0.0
    finite_steps: int = 0
    gradient_norm: float = 0.0

    def reading(self, epoch: int, step: int, metrics: Mapping[str, float]) -> EpochReading:
        """Return the reading of the epoch that ends."""
        count = max(1, self.steps)
        mean = self.loss / count
        return EpochReading(
            epoch=epoch,
            step=step,
            metrics=dict(metrics),
            loss_mean=mean,
            loss_deviation=max(0.0, self.squared_loss / count - mean**2) ** 0.5,
            gradient_norm=self.gradient_norm / max(1, self.finite_steps),
            penalty=self.penalty / count,
        )


@dataclass
class Record:
    """Everything that was measured so far, of the current stage; a part of the watch's state."""

    data: DataReading | None = None
    readings: list[Reading] = field(default_factory=list)
    updates: list[Update] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    epochs: list[EpochReading] = field(default_factory=list)
    sums: StepSums = field(default_factory=StepSums)
    #: Steps of the stage, and of the unfinished epoch.
    stage_step: int = 0
    epoch_step: int = 0
    has_range_test: bool = False
    range_test: RangeTest | None = None
    overfit_curve: list[tuple[int, float]] | None = None
    has_control: bool = False
    control: ShuffledControl | None = None
    noise: list[GradientNoise] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return the record as it is stored."""
        return asdict(self)

    @classmethod
    def of_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the record that `as_json` stored."""
        test = data["range_test"]
        curve = data["overfit_curve"]
        return cls(
            data=data["data"] and DataReading.of_json(data["data"]),
            readings=[Reading.of_json(reading) for reading in data["readings"]],
            updates=[Update(**update) for update in data["updates"]],
            steps=[Step(**step) for step in data["steps"]],
            epochs=[EpochReading(**epoch) for epoch in data["epochs"]],
            sums=StepSums(**data["sums"]),
            stage_step=data["stage_step"],
            epoch_step=data["epoch_step"],
            has_range_test=data["has_range_test"],
            range_test=test and RangeTest(**{**test, "curve": tuple(map(tuple, test["curve"]))}),
            overfit_curve=curve and [(step, loss) for step, loss in curve],
            has_control=data.get("has_control", False),
            control=control_of_json(data.get("control")),
            noise=noise_of_json(data.get("noise", [])),
        )
