"""The inputs of an initializer besides the weight."""

from dataclasses import dataclass
from math import prod

import torch


@dataclass(frozen=True)
class Draw:
    """The fans of a weight, the activation of the network and the generator of the weight."""

    #: Number of inputs per unit; for a convolution in_channels·kh·kw.
    fan_in: int
    #: Number of outputs per input; for a convolution out_channels·kh·kw.
    fan_out: int
    #: Name of the network's activation; None for a network without this parameter.
    activation: str | None
    generator: torch.Generator


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return fan_in and fan_out of a weight of shape [out, in, *kernel].

    The weight of a depthwise convolution is [C, 1, kh, kw]: fan_in is kh·kw and, as in PyTorch,
    fan_out is C·kh·kw, although each input affects one output. Keras stores this weight as
    [kh, kw, C, 1], with the fans C·kh·kw and kh·kw.

    Raises:
        ValueError: the shape has fewer than two axes.
    """
    if len(shape) < 2:
        raise ValueError(f"The shape of a weight is {list(shape)}; it must have at least two axes.")
    area = prod(shape[2:])
    return shape[1] * area, shape[0] * area
