"""The ways in which an augmentation can change a batch. Axes: N samples."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

#: Pixels [N, C, H, W] → matrices [N, 3, 3]. A matrix maps the position of a pixel in the new image
#: to the position in the original that it is read from, in pixels from the centre of the image,
#: x to the right and y down.
Matrices = Callable[[Tensor], Tensor]
#: Pixels [N, C, H, W] in 0–255 → new pixels of the same shape; the input is not changed.
OnPixels = Callable[[Tensor], Tensor]

FillMode = Literal["nearest", "reflect", "constant"]


@dataclass(frozen=True)
class Flip:
    """A mirror image with a probability. Without other movements it needs no resampling."""

    #: −1 swaps left and right, −2 top and bottom.
    axis: Literal[-1, -2]
    probability: float


@dataclass(frozen=True)
class Augmentation:
    """The changes that an augmentation makes; None for the others."""

    matrices: Matrices | None = None
    flip: Flip | None = None
    on_pixels: OnPixels | None = None
    fill_mode: FillMode | None = None


def uniform(pixels_NCHW: Tensor, low: float, high: float) -> Tensor:
    """Return one uniform draw for each sample, [N], from the device's seeded generator."""
    draws_N = torch.rand(len(pixels_NCHW), device=pixels_NCHW.device)
    return draws_N.mul_(high - low).add_(low)
