"""What an initializer is given to draw one weight with."""

from dataclasses import dataclass
from math import prod

import torch


@dataclass(frozen=True)
class Draw:
    """The fans of a weight, the network's activation and the weight's own generator."""

    #: Inputs per unit; for a convolution in_channels·kh·kw.
    fan_in: int
    #: Outputs per unit, likewise with the kernel's area.
    fan_out: int
    #: One for the whole network; None where it has none.
    activation: str | None
    generator: torch.Generator


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """fan_in and fan_out of a weight of shape [out, in, *kernel].

    A depthwise convolution's weight is [C, 1, kh, kw]: fan_in kh·kw, and fan_out C·kh·kw as in
    PyTorch, though each of its inputs reaches one output. Keras keeps that weight as
    [kh, kw, C, 1], whose fans are C·kh·kw and kh·kw.

    Raises:
        ValueError: the shape has fewer than two axes, so it is no weight.
    """
    if len(shape) < 2:
        raise ValueError(f"a weight has at least two axes, and this shape is {list(shape)}")
    area = prod(shape[2:])
    return shape[1] * area, shape[0] * area
