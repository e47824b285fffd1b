"""A split's images on the training device, as uint8, and batches made of them there.

The rows of a table are float32 images of one pixel, with a channel a column.

Axes: N samples, H height, W width, C channels. Images lie as [N, H, W, C] in memory: a batch of
them, seen as [N, C, H, W], is in channels-last order without another copy.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

#: Pixels [N, C, H, W] in 0–255 → made ones of the same shape, in channels-last order.
Augment = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Normalization:
    """(pixel/largest − mean)/deviation, per channel."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    #: 255 of pixels; 1 of the columns of a table, which are taken as they are.
    largest: float = 255.0

    def on(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Scale and shift [C] that act on what is stored, such as pixels in 0–255."""
        mean = torch.tensor(self.mean, dtype=torch.float64)
        deviation = torch.tensor(self.deviation, dtype=torch.float64)
        scale_C, shift_C = 1 / (self.largest * deviation), -mean / deviation
        return scale_C.float().to(device), shift_C.float().to(device)


class DeviceSplit:
    """Images and labels of one split, ready on the device."""

    def __init__(
        self,
        images_NCHW: Tensor,
        labels_N: Tensor,
        normalization: Normalization,
        device: torch.device,
    ) -> None:
        self.images_NHWC = images_NCHW.permute(0, 2, 3, 1).contiguous().to(device)
        self.labels_N = labels_N.to(device)
        _, height, width, channels = self.images_NHWC.shape
        scale_C, shift_C = normalization.on(device)
        # As large as an image: broadcasting over a few channels is ten times slower on a CPU
        self._scale_HWC = scale_C.expand(height, width, channels).contiguous()
        self._shift_HWC = shift_C.expand(height, width, channels).contiguous()

    def __len__(self) -> int:
        return len(self.labels_N)

    def batch(
        self, chosen: Tensor | slice, augment: Augment | None = None
    ) -> tuple[Tensor, Tensor]:
        """Normalised images [n, C, H, W] in channels-last order, and their labels [n].

        Args:
            chosen: which samples.
            augment: what is done to their pixels, in 0–255, before that.
        """
        if isinstance(chosen, slice):
            pixels_NHWC, labels_N = self.images_NHWC[chosen], self.labels_N[chosen]
        else:
            pixels_NHWC = self.images_NHWC.index_select(0, chosen)
            labels_N = self.labels_N.index_select(0, chosen)
        images_NHWC = pixels_NHWC.to(torch.float32, copy=True)
        if augment is not None:
            images_NHWC = augment(images_NHWC.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        images_NHWC = images_NHWC.mul_(self._scale_HWC).add_(self._shift_HWC)
        return images_NHWC.permute(0, 3, 1, 2), labels_N
