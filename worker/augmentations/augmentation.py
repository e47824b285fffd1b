"""What an augmentation can do to a batch: the few places where it may act. Axes: N samples."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

#: Matrices map a pixel of the made image to the place in the original that it is taken from, in
#: pixels from the image's centre, x to the right and y down.
#: Number of samples, (height, width), device → matrices [N, 3, 3].
Matrices = Callable[[int, tuple[int, int], torch.device], Tensor]
#: Pixels [N, C, H, W] in 0–255 → the same, not in place.
OnPixels = Callable[[Tensor], Tensor]

FillMode = Literal["nearest", "reflect", "constant"]


@dataclass(frozen=True)
class Flip:
    """A mirroring, so that one without any other movement is exact and cheap."""

    #: −1 for left and right, −2 for top and bottom.
    axis: Literal[-1, -2]
    probability: float


@dataclass(frozen=True)
class Augmentation:
    """Where an augmentation acts; each place may be empty."""

    matrices: Matrices | None = None
    flip: Flip | None = None
    on_pixels: OnPixels | None = None
    fill_mode: FillMode | None = None


def uniform(samples: int, low: float, high: float, device: torch.device) -> Tensor:
    """A draw for each sample [N], from the generator that the step has seeded."""
    return torch.rand(samples, device=device).mul_(high - low).add_(low)
