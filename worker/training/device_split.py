"""Normalized batches of a split, and a split on the training device, as uint8.

The rows of a table are float64 images of one pixel, with a channel for each column. They are
normalized in float64 and only then stored as float32: a Unix time in float32 is exact to two
minutes only.

Axes: N samples, H height, W width, C channels. Images are stored as [N, H, W, C]: a batch of them,
viewed as [N, C, H, W], is in channels-last order without another copy.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

#: Pixels [N, C, H, W] in 0–255 → augmented pixels of the same shape, in channels-last order.
Augment = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Normalization:
    """(pixel/largest − mean)/deviation, per channel."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    #: 255 for pixels; 1 for the columns of a table, which are not scaled.
    largest: float = 255.0

    def on(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Return scale and shift [C] to apply to the stored values, such as pixels in 0–255."""
        mean = torch.tensor(self.mean, dtype=torch.float64)
        deviation = torch.tensor(self.deviation, dtype=torch.float64)
        scale_C, shift_C = 1 / (self.largest * deviation), -mean / deviation
        return scale_C.float().to(device), shift_C.float().to(device)

    def identity(self) -> "Normalization":
        """Return the normalization of inputs that are normalized already."""
        return Normalization((0.0,) * len(self.mean), (1.0,) * len(self.mean), largest=1.0)

    def applied(self, columns_NCHW: Tensor) -> Tensor:
        """Return the normalized columns of a table, float32; computed in float64."""
        mean_C11 = torch.tensor(self.mean, dtype=torch.float64)[:, None, None]
        deviation_C11 = torch.tensor(self.deviation, dtype=torch.float64)[:, None, None]
        return ((columns_NCHW.double() / self.largest - mean_C11) / deviation_C11).float()


class Batches(ABC):
    """Normalized batches of a split, wherever its images are."""

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        labels_N: Tensor,
        normalization: Normalization,
        device: torch.device,
    ) -> None:
        channels, self.height, self.width = image_shape
        self.device = device
        self.labels_N = labels_N.to(device)
        scale_C, shift_C = normalization.on(device)
        # As large as an image: broadcasting over a few channels is ten times slower on a CPU
        self._scale_HWC = scale_C.expand(self.height, self.width, channels).contiguous()
        self._shift_HWC = shift_C.expand(self.height, self.width, channels).contiguous()

    def __len__(self) -> int:
        return len(self.labels_N)

    def batch(
        self, samples: Tensor | slice, augment: Augment | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return normalized images [n, C, H, W] in channels-last order, and their labels [n].

        Args:
            samples: the indices of the samples, int64.
            augment: changes the pixels, in 0–255, before they are normalized.
        """
        pixels_NHWC, labels_N = self.stored(samples)
        return self.images(pixels_NHWC, augment), labels_N

    def stored(self, samples: Tensor | slice) -> tuple[Tensor, Tensor]:
        """Return stored pixels on the device, [n, H, W, C], and their labels [n]."""
        pixels_NHWC = self._pixels(samples)
        if isinstance(samples, slice):
            return pixels_NHWC, self.labels_N[samples]
        return pixels_NHWC, self.labels_N.index_select(0, samples)

    def images(self, pixels_NHWC: Tensor, augment: Augment | None = None) -> Tensor:
        """Return normalized images [n, C, H, W] of stored pixels; `augment` as for `batch`."""
        images_NHWC = pixels_NHWC.to(torch.float32, copy=True)
        if augment is not None:
            images_NHWC = augment(images_NHWC.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        images_NHWC = images_NHWC.mul_(self._scale_HWC).add_(self._shift_HWC)
        return images_NHWC.permute(0, 3, 1, 2)

    @abstractmethod
    def announce(self, batches: Sequence[Tensor | slice]) -> None:
        """Announce the next calls of `batch`, so that their images can be read ahead."""

    @abstractmethod
    def _pixels(self, samples: Tensor | slice) -> Tensor:
        """Return stored pixels on the device, [n, H, W, C]."""


class DeviceSplit(Batches):
    """Images and labels of one split on the device."""

    def __init__(
        self,
        images_NCHW: Tensor,
        labels_N: Tensor,
        normalization: Normalization,
        device: torch.device,
    ) -> None:
        if images_NCHW.is_floating_point():
            images_NCHW = normalization.applied(images_NCHW)
            normalization = normalization.identity()
        _, channels, height, width = images_NCHW.shape
        super().__init__((channels, height, width), labels_N, normalization, device)
        self.images_NHWC = images_NCHW.permute(0, 2, 3, 1).contiguous().to(device)

    def announce(self, batches: Sequence[Tensor | slice]) -> None:
        """Do nothing: the images are on the device."""

    def _pixels(self, samples: Tensor | slice) -> Tensor:
        if isinstance(samples, slice):
            return self.images_NHWC[samples]
        return self.images_NHWC.index_select(0, samples)
