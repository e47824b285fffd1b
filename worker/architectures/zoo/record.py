"""What is known of each network of the zoo, and its registration from that."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from torch import nn

from worker.architectures.layers import ImageShape, Rate
from worker.architectures.zoo.library import from_library
from worker.registry import architectures

#: image_shape, classes, dropout → the network
Builder = Callable[[ImageShape, int, float], nn.Module]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)

DOCUMENTATION = """{summary}

    Args:
        image_shape: channels, height, width of an image.
        classes: how many classes there are, M.
        dropout: share of features dropped in the head, in [0, 1).

    Returns:
        A module from images [N, C, H, W] to logits [N, M]; the head's tensors start with `head.`.
    """


@dataclass(frozen=True)
class Record:
    """One network. Counts and sizes are at 3 channels and 1000 classes."""

    name: str
    summary: str
    source: str
    #: Pixels that it was made for, and the fewest that it admits.
    image_size: int
    #: Keras's count with the statistics of batch norm.
    reference: int | None
    #: Of our weights and statistics as float32.
    size_mib: int
    #: As Keras counts it: layers on the longest way, activations and batch norm among them; in
    #: VGG only the layers with weights.
    depth: int | None
    dropout: float
    #: Parts of the body in the order in which images pass them. Each holds the tensors whose
    #: names start with `body.`, its name and a dot; together they hold all of the body.
    stages: tuple[str, ...]
    #: Of the inputs of the usual pretrained weights, as fractions of the largest pixel value.
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    #: Why our count is another than Keras's.
    difference: str | None = None
    smallest: int = 32
    has_batch_norm: bool = True
    #: timm's name, from which the pretrained weights come and, without `builder`, the body.
    library_name: str | None = None
    #: Where pretrained weights come from.
    pretrained: Literal["package", "hub"] | None = "hub"
    builder: Builder | None = None


#: Every network that was registered here, by name.
RECORDS: dict[str, Record] = {}


def numbered(prefix: str, count: int, *, start: int = 0) -> tuple[str, ...]:
    """Names of stages that are told apart by a number."""
    return tuple(f"{prefix}{number}" for number in range(start, start + count))


def register(record: Record) -> None:
    """Put a network into the registry of architectures.

    Raises:
        ValueError: the name is taken, or the record does not say how to build it.
    """
    construct = _builder(record)

    def network(
        image_shape: ImageShape, classes: int, /, *, dropout: Rate = record.dropout
    ) -> nn.Module:
        return construct(image_shape, classes, dropout)

    network.__name__ = network.__qualname__ = record.name
    network.__doc__ = DOCUMENTATION.format(summary=record.summary)
    RECORDS[record.name] = record
    architectures.register(
        source=record.source,
        image_size={"minimum": record.smallest, "default": record.image_size},
        parameter_count_at={"channels": 3, "image_size": record.image_size, "classes": 1000},
        reference=record.reference,
        difference=record.difference,
        size_mib=record.size_mib,
        depth=record.depth,
        normalization={"mean": list(record.mean), "std": list(record.std)},
        stages=[f"body.{stage}" for stage in record.stages],
        pretrained=record.pretrained,
        has_batch_norm=record.has_batch_norm,
        activation_parameter=None,
        heavy=True,
    )(network)


def _builder(record: Record) -> Builder:
    if record.builder is not None:
        return record.builder
    if record.library_name is None:
        raise ValueError(f"{record.name} needs a builder or the name it has in timm")
    return partial(from_library, record.library_name)
