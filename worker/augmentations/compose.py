"""The augmentations of a job as one function: a single resampling for all movements of a sample.

Axes: N samples, C channels, H height, W width; pixels in 0–255.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import inf
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from worker.augmentations.augmentation import Augmentation, FillMode, Flip, Matrices
from worker.augmentations.geometry import identities
from worker.registry import augmentations

#: Pixels per CPU thread and part of a batch, so that pixels and grid stay in the thread's cache.
PIXELS_PER_PART = 2**15
PADDING: Mapping[FillMode, str] = {
    "nearest": "border",
    "reflect": "reflection",
    "constant": "zeros",
}


def compose(parameters: Mapping[str, Mapping[str, Any]]) -> "Augment | None":
    """Build the augmentations of a specification; None without any.

    They apply in the order of their fact `order`, not in the order of the specification. An
    augmentation without this fact comes last.

    Args:
        parameters: the parameters of each augmentation, by its name.

    Raises:
        SpecError: a name or a parameter is not allowed.
    """
    names = sorted(parameters, key=lambda name: (_order(name), name))
    parts = [augmentations.bind(name, parameters[name])() for name in names]
    return Augment(parts) if parts else None


def _order(name: str) -> float:
    return augmentations.get(name).facts.get("order", inf)


class Augment:
    """Augments a batch: pixels [N, C, H, W] → new pixels of the same shape.

    Random numbers come from torch's generator of the device, which the training step seeds.

    Args:
        parts: the augmentations, in the order in which they apply.
    """

    def __init__(self, parts: Sequence[Augmentation]) -> None:
        self._matrices = [part.matrices for part in parts if part.matrices is not None]
        self._flips = [part.flip for part in parts if part.flip is not None]
        self._on_pixels = [part.on_pixels for part in parts if part.on_pixels is not None]
        fills: list[FillMode] = [part.fill_mode for part in parts if part.fill_mode is not None]
        self._padding = PADDING[fills[0]] if fills else PADDING["nearest"]

    def __call__(self, pixels_NCHW: Tensor) -> Tensor:
        """Return the augmented batch; the input is not changed."""
        if self._matrices:
            matrices = draw_matrices(pixels_NCHW, self._matrices, self._flips)
            pixels_NCHW = resample(pixels_NCHW, matrices, padding=self._padding)
        else:
            for flip in self._flips:
                is_flipped_N = _draw_flip(pixels_NCHW, flip)
                flipped_NCHW = pixels_NCHW.flip(flip.axis)
                pixels_NCHW = torch.where(is_flipped_N.view(-1, 1, 1, 1), flipped_NCHW, pixels_NCHW)
        for change in self._on_pixels:
            pixels_NCHW = change(pixels_NCHW)
        return pixels_NCHW


def draw_matrices(
    pixels_NCHW: Tensor, movements: Iterable[Matrices], flips: Iterable[Flip]
) -> Tensor:
    """Return the product of all movements for each sample, [N, 3, 3]."""
    product = identities(pixels_NCHW)
    for movement in movements:
        product = product @ movement(pixels_NCHW)
    for flip in flips:
        signs_N = 1 - 2 * _draw_flip(pixels_NCHW, flip).float()
        product[:, :, -1 - flip.axis] *= signs_N[:, None]  # column of x for −1, of y for −2
    return product


def resample(pixels_NCHW: Tensor, matrices: Tensor, *, padding: str) -> Tensor:
    """Read each pixel of the new images from the position that its matrix gives, bilinearly.

    Args:
        pixels_NCHW: the original images.
        matrices: [N, 3, 3], in pixels from the centre.
        padding: `padding_mode` of `torch.nn.functional.grid_sample`.

    Returns:
        Images of the same shape, in channels-last order.
    """
    samples, _, height, width = pixels_NCHW.shape
    part = samples
    if pixels_NCHW.device.type == "cpu":
        part = torch.get_num_threads() * max(1, PIXELS_PER_PART // (height * width))
    resampled_NCHW = torch.empty_like(pixels_NCHW, memory_format=torch.channels_last)
    parts = (pixels_NCHW.split(part), matrices.split(part), resampled_NCHW.split(part))
    for original, part_matrices, target in zip(*parts, strict=True):
        grid_NHW2 = grid(part_matrices, height, width)
        target.copy_(
            functional.grid_sample(original, grid_NHW2, "bilinear", padding, align_corners=False)
        )
    return resampled_NCHW


def grid(matrices: Tensor, height: int, width: int) -> Tensor:
    """Return the position in the original of each pixel, [N, H, W, 2], as fractions in −1…1."""
    samples, device = len(matrices), matrices.device
    x_W = torch.arange(width, device=device, dtype=torch.float32) - (width - 1) / 2
    y_H = torch.arange(height, device=device, dtype=torch.float32) - (height - 1) / 2
    grid_NHW2 = torch.empty(samples, height, width, 2, device=device)
    for axis, size in ((0, width), (1, height)):
        along_x, along_y, offset = (matrices[:, axis] * (2 / size)).unbind(1)
        # A row plus a column, broadcast straight into the result: no larger intermediate tensor
        row_N1W = (along_x[:, None] * x_W)[:, None, :]
        column_NH1 = (along_y[:, None] * y_H + offset[:, None])[:, :, None]
        torch.add(column_NH1, row_N1W, out=grid_NHW2[..., axis])
    return grid_NHW2


def _draw_flip(pixels_NCHW: Tensor, flip: Flip) -> Tensor:
    return torch.rand(len(pixels_NCHW), device=pixels_NCHW.device) < flip.probability
