"""The facts about each network of the zoo, and its registration."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from torch import nn

from worker.architectures.layers import ImageShape, Rate
from worker.architectures.zoo.timm_models import build_from_timm
from worker.registry import architectures

#: Image shape, classes, dropout → network.
Builder = Callable[[ImageShape, int, float], nn.Module]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)

DOCUMENTATION = """{summary}
{batch_norm}
    Args:
        image_shape: channels, height, width of an image.
        classes: number of classes M.
        dropout: fraction of features dropped in the head, in [0, 1).

    Returns:
        A module from images [N, C, H, W] to logits [N, M]; the head's tensors start with `head.`.
    """


@dataclass(frozen=True)
class ZooModel:
    """A network of the zoo. Counts and sizes are for 3 channels and 1000 classes."""

    name: str
    summary: str
    source: str
    #: Default side length in pixels.
    image_size: int
    #: Keras's count of parameters, including the statistics of batch norm.
    reference: int | None
    #: Size of our weights and statistics in float32.
    size_mib: int
    #: By Keras's definition: layers on the longest path, including activations and batch norm; for
    #: VGG only the layers with weights.
    depth: int | None
    dropout: float
    #: Names of the parts of the body, in the order of the forward pass. The tensors of a part
    #: start with `body.`, its name and a dot; together the parts have all tensors of the body.
    stages: tuple[str, ...]
    #: Normalization of the inputs for pretrained weights, as fractions of the largest pixel value.
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    #: Why our count differs from Keras's.
    difference: str | None = None
    #: Smallest side length in pixels.
    min_image_size: int = 32
    #: ε of batch norm; None for a network without. The momentum θ is 0.9 everywhere.
    epsilon: float | None = None
    #: Keras's ε and θ.
    keras_batch_norm: tuple[float, float] | None = None
    #: Name in timm, the source of pretrained weights and, without `builder`, of the body.
    timm_name: str | None = None
    #: Source of pretrained weights.
    pretrained: Literal["package", "hub"] | None = "hub"
    builder: Builder | None = None


#: All registered networks of the zoo, by name.
ZOO_MODELS: dict[str, ZooModel] = {}


def numbered(prefix: str, count: int, *, start: int = 0) -> tuple[str, ...]:
    """Return the names of numbered stages."""
    return tuple(f"{prefix}{number}" for number in range(start, start + count))


def register(model: ZooModel) -> None:
    """Register a network of the zoo as an architecture.

    Raises:
        ValueError: the name is already registered, or the model has neither builder nor timm name.
    """
    construct = _builder(model)

    def network(
        image_shape: ImageShape, classes: int, /, *, dropout: Rate = model.dropout
    ) -> nn.Module:
        return construct(image_shape, classes, dropout)

    network.__name__ = network.__qualname__ = model.name
    network.__doc__ = DOCUMENTATION.format(summary=model.summary, batch_norm=_batch_norm(model))
    ZOO_MODELS[model.name] = model
    architectures.register(
        source=model.source,
        image_size={"minimum": model.min_image_size, "default": model.image_size},
        parameter_count_at={"channels": 3, "image_size": model.image_size, "classes": 1000},
        reference=model.reference,
        difference=model.difference,
        size_mib=model.size_mib,
        depth=model.depth,
        normalization={"mean": list(model.mean), "std": list(model.std)},
        stages=[f"body.{stage}" for stage in model.stages],
        pretrained=model.pretrained,
        has_batch_norm=model.epsilon is not None,
        activation_parameter=None,
        heavy=True,
    )(network)


def _batch_norm(model: ZooModel) -> str:
    """Return the paragraph of the documentation about batch norm, indented."""
    if model.epsilon is None:
        return ""
    text = f"Batch norm: running ← θ·running + (1−θ)·batch with θ = 0.9, and ε = {model.epsilon:g}"
    if model.keras_batch_norm is not None:
        epsilon, momentum = model.keras_batch_norm
        text += f". Keras's network has θ = {momentum:g} and ε = {epsilon:g}"
    return f"\n    {text}.\n"


def _builder(model: ZooModel) -> Builder:
    if model.builder is not None:
        return model.builder
    if model.timm_name is None:
        raise ValueError(f"{model.name} needs a builder or a timm_name")
    return partial(build_from_timm, model.timm_name)
