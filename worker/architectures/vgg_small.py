"""A small VGG-style network for 32x32 images."""

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
from worker.registry import SpecError, architectures

CONVOLUTIONS_PER_BLOCK = 2


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
    """A small VGG: blocks of two convolutions and a pooling layer, then a dense head.

    For each width [conv → activation → BN] x2, max-pool 2, dropout; then flatten; then the head:
    dense → activation → BN → dropout, dense M. The activation comes before batch norm. The network
    has 2,169,770 trainable parameters at 3x32x32 and 10 classes.

    Args:
        image_shape: channels, height, width of an image.
        classes: number of classes M.
        activation: activation function after each layer except the last. `leaky_relu` has the
            slope 0.01 below 0, as in PyTorch (Keras: 0.3 as a layer, 0.2 as a function), `elu` has
            α = 1, and `gelu` is x·Φ(x), not its approximation by tanh.
        widths: number of filters in the two convolutions of each block; a block halves height and
            width.
        kernel_size: height and width of the filters; odd, so that "same" is symmetric.
        padding: "same" keeps height and width in a convolution, "valid" reduces them by
            kernel_size - 1.
        hidden_units: widths of the head's dense layers.
        dropout: fraction of features dropped after each block, in [0, 1).
        head_dropout: fraction of features dropped before the last layer, in [0, 1).
        batch_norm: whether batch norm (epsilon 1e-3) follows each activation.
        batch_norm_momentum: θ in running ← θ·running + (1−θ)·batch; PyTorch's momentum is 1−θ.

    Returns:
        A module from images [N, C, H, W] to logits [N, M]; the head's tensors start with `head.`.

    Raises:
        SpecError: the image is too small for this number of blocks.
    """
    channels, height, width = image_shape
    shrink = 0 if padding == "same" else CONVOLUTIONS_PER_BLOCK * (kernel_size - 1)
    needed = _min_image_size(len(widths), shrink)
    if min(height, width) < needed:
        raise SpecError(
            f"The images have {height}x{width} pixels; vgg_small with {len(widths)} blocks, "
            f"kernel_size {kernel_size} and padding {padding!r} needs at least "
            f"{needed}x{needed} pixels. Use a larger image_size, fewer widths or padding 'same'."
        )
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for number, filters in enumerate(widths, start=1):
        block: OrderedDict[str, nn.Module] = OrderedDict()
        for position in range(1, CONVOLUTIONS_PER_BLOCK + 1):
            block[f"conv{position}"] = nn.Conv2d(channels, filters, kernel_size, padding=padding)
            block[f"activation{position}"] = ACTIVATIONS[activation]()
            if batch_norm:
                block[f"norm{position}"] = batch_norm_2d(filters, batch_norm_momentum)
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


def _min_image_size(blocks: int, shrink: int) -> int:
    """Return the smallest height that leaves one pixel after the last pooling layer."""
    size = 1
    for _ in range(blocks):
        size = 2 * size + shrink
    return max(8, size)
