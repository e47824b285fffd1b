"""The classic small convolutional network for 32x32 images."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field
from torch import nn

from worker.architectures.layers import (
    ACTIVATIONS,
    Activation,
    HiddenUnits,
    ImageShape,
    Momentum,
    Rate,
    batch_norm_2d,
    dense_stack,
)
from worker.registry import architectures

CONVOLUTIONS_A_BLOCK = 2


@architectures.register(
    source="Simonyan & Zisserman 2014, arXiv:1409.1556 (3x3 convolutions in blocks, max-pooling "
    "between); Ioffe & Szegedy 2015, arXiv:1502.03167 (batch norm); Clevert et al. 2015, "
    "arXiv:1511.07289 (ELU)",
    image_size={"minimum": 8, "default": 32},
    parameter_count_at={"channels": 3, "image_size": 32, "classes": 10},
    reference=2_171_178,
    has_batch_norm=True,
    activation_parameter="activation",
)
def vgg_small(
    image_shape: ImageShape,
    classes: int,
    /,
    *,
    activation: Activation = "elu",
    widths: Annotated[
        Sequence[Annotated[int, Field(ge=1, le=4096)]], Field(min_length=1, max_length=6)
    ] = (32, 64),
    kernel_size: Literal[1, 3, 5, 7] = 3,
    padding: Literal["same", "valid"] = "same",
    hidden_units: HiddenUnits = (512,),
    dropout: Rate = 0.25,
    head_dropout: Rate = 0.5,
    batch_norm: bool = True,
    batch_norm_momentum: Momentum = 0.9,
) -> nn.Module:
    """A small VGG: blocks of two convolutions and a pooling, then a dense head.

    [conv → activation → BN] x2, max-pool 2, dropout, for each width; flatten; the head: dense →
    activation → BN → dropout, dense M. The activation comes before batch norm. 2,169,770
    trainable parameters at 3x32x32 and 10 classes.

    Args:
        image_shape: channels, height, width of an image.
        classes: how many classes there are, M.
        activation: the nonlinearity after each layer but the last.
        widths: filters of each block's two convolutions; a block halves height and width.
        kernel_size: height and width of the filters; odd, so that "same" has a middle.
        padding: "same" keeps height and width in a convolution, "valid" takes kernel_size - 1.
        hidden_units: widths of the head's dense layers.
        dropout: share of features dropped after each block, in [0, 1).
        head_dropout: share of features dropped before the last layer, in [0, 1).
        batch_norm: whether each activation is followed by batch norm (epsilon 1e-3).
        batch_norm_momentum: θ of running ← θ·running + (1−θ)·batch (PyTorch's is 1−θ).

    Returns:
        A module from images [N, C, H, W] to logits [N, M]; the head's tensors start with `head.`.

    Raises:
        ValueError: the image is too small for this many blocks.
    """
    channels, height, width = image_shape
    shrink = 0 if padding == "same" else CONVOLUTIONS_A_BLOCK * (kernel_size - 1)
    needed = _smallest_size(len(widths), shrink)
    if min(height, width) < needed:
        raise ValueError(
            f"vgg_small with {len(widths)} blocks, kernel_size {kernel_size} and padding "
            f"{padding!r} needs images of at least {needed}x{needed} pixels, and these are "
            f"{height}x{width}: take a larger image_size, fewer widths or padding 'same'"
        )
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for number, filters in enumerate(widths, start=1):
        block: OrderedDict[str, nn.Module] = OrderedDict()
        for place in range(1, CONVOLUTIONS_A_BLOCK + 1):
            block[f"conv{place}"] = nn.Conv2d(channels, filters, kernel_size, padding=padding)
            block[f"activation{place}"] = ACTIVATIONS[activation]()
            if batch_norm:
                block[f"norm{place}"] = batch_norm_2d(filters, batch_norm_momentum)
            channels = filters
        block["pool"] = nn.MaxPool2d(2)
        block["dropout"] = nn.Dropout(dropout)
        layers[f"block{number}"] = nn.Sequential(block)
        height, width = (height - shrink) // 2, (width - shrink) // 2
    layers["flatten"] = nn.Flatten()
    head, features = dense_stack(
        channels * height * width,
        hidden_units,
        activation=activation,
        dropout=head_dropout,
        batch_norm=batch_norm,
        batch_norm_momentum=batch_norm_momentum,
    )
    head["output"] = nn.Linear(features, classes)
    layers["head"] = nn.Sequential(head)
    return nn.Sequential(layers)


def _smallest_size(blocks: int, shrink: int) -> int:
    """The smallest height that leaves one pixel after the last pooling."""
    size = 1
    for _ in range(blocks):
        size = 2 * size + shrink
    return max(8, size)
