"""All augmentations of a job as one: movements fused into one matrix and one resample a sample.

Axes: N samples, C channels, H height, W width; pixels in 0–255.
"""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from worker.augmentations.augmentation import Augmentation, FillMode, Flip, Matrices
from worker.augmentations.geometry import identities

#: The product of matrices depends on their order; this is Keras's.
ORDER = ("rotation", "width_shift", "height_shift", "shear", "zoom")
#: Light after movement, so that what is filled in is lit alike.
LIGHT = ("channel_shift", "brightness")
PADDING: Mapping[FillMode, str] = {
    "nearest": "border",
    "reflect": "reflection",
    "constant": "zeros",
}


class Augment:
    """Pixels [N, C, H, W] → pixels of the same shape, each sample with draws of its own.

    Draws come from torch's own generator of the device, which each step seeds anew.
    """

    def __init__(self, given: Mapping[str, Augmentation]) -> None:
        known = (*ORDER, *LIGHT)
        names = [*(name for name in known if name in given), *sorted(set(given) - set(known))]
        parts = [given[name] for name in names]
        self._movements = [one.matrices for one in parts if one.matrices is not None]
        self._flips = [one.flip for one in parts if one.flip is not None]
        self._lights = [one.on_pixels for one in parts if one.on_pixels is not None]
        fills: list[FillMode] = [one.fill_mode for one in parts if one.fill_mode is not None]
        self._padding = PADDING[fills[0]] if fills else PADDING["nearest"]

    def __call__(self, pixels_NCHW: Tensor) -> Tensor:
        """The made images; the given ones are left as they are."""
        if self._movements:
            matrices = draw_matrices(pixels_NCHW, self._movements, self._flips)
            pixels_NCHW = resample(pixels_NCHW, matrices, padding=self._padding)
        else:
            for flip in self._flips:
                is_flipped_N = _draw_flip(pixels_NCHW, flip)
                flipped_NCHW = pixels_NCHW.flip(flip.axis)
                pixels_NCHW = torch.where(is_flipped_N.view(-1, 1, 1, 1), flipped_NCHW, pixels_NCHW)
        for light in self._lights:
            pixels_NCHW = light(pixels_NCHW)
        return pixels_NCHW


def draw_matrices(
    pixels_NCHW: Tensor, movements: Iterable[Matrices], flips: Iterable[Flip]
) -> Tensor:
    """One matrix for each sample [N, 3, 3], from made to original pixels."""
    samples, _, height, width = pixels_NCHW.shape
    device = pixels_NCHW.device
    product = identities(samples, device)
    for movement in movements:
        product = product @ movement(samples, (height, width), device)
    for flip in flips:
        signs_N = 1 - 2 * _draw_flip(pixels_NCHW, flip).float()
        product[:, :, -1 - flip.axis] *= signs_N[:, None]  # column of x for −1, of y for −2
    return product


def resample(pixels_NCHW: Tensor, matrices: Tensor, *, padding: str) -> Tensor:
    """Take each pixel of the made images from where its matrix says, bilinearly.

    Args:
        pixels_NCHW: the originals.
        matrices: [N, 3, 3], in pixels from the centre.
        padding: as `torch.nn.functional.grid_sample` takes it.

    Returns:
        Images of the same shape and memory layout.
    """
    samples, _, height, width = pixels_NCHW.shape
    device = pixels_NCHW.device
    x_W = torch.arange(width, device=device, dtype=torch.float32) - (width - 1) / 2
    y_H = torch.arange(height, device=device, dtype=torch.float32) - (height - 1) / 2
    grid_NHW2 = torch.empty(samples, height, width, 2, device=device)
    for axis, size in ((0, width), (1, height)):
        along_x, along_y, offset = (matrices[:, axis] * (2 / size)).unbind(1)
        # A sum of a row and a column: nothing larger is made on the way.
        row_N1W = (along_x[:, None] * x_W)[:, None, :]
        column_NH1 = (along_y[:, None] * y_H + offset[:, None])[:, :, None]
        torch.add(column_NH1, row_N1W, out=grid_NHW2[..., axis])
    made_NCHW = functional.grid_sample(
        pixels_NCHW, grid_NHW2, mode="bilinear", padding_mode=padding, align_corners=False
    )
    return made_NCHW.contiguous(memory_format=torch.channels_last)


def _draw_flip(pixels_NCHW: Tensor, flip: Flip) -> Tensor:
    return torch.rand(len(pixels_NCHW), device=pixels_NCHW.device) < flip.probability
