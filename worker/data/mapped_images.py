"""Images that stay in the mapped file of the cache and are read batch by batch."""

import numpy as np
import torch
from torch import Tensor

from worker.data.dataset import Bytes, Integers


class MappedImages:
    """The images of a split in a mapped array.

    Args:
        images_NCHW: the images of the whole data set, uint8.
        indices_N: the samples of the split.
    """

    def __init__(self, images_NCHW: Bytes, indices_N: Integers) -> None:
        self._images_NCHW, self._indices_N = images_NCHW, indices_N
        channels, height, width = images_NCHW.shape[1:]
        self.shape = (len(indices_N), channels, height, width)

    def __len__(self) -> int:
        return len(self._indices_N)

    def __getitem__(self, samples: Tensor | slice, /) -> Tensor:
        """Return some images, uint8 [n, C, H, W] in channels-last order."""
        chosen = samples if isinstance(samples, slice) else samples.numpy()
        images_NCHW = self._images_NCHW[self._indices_N[chosen]]
        images_NHWC = np.ascontiguousarray(images_NCHW.transpose(0, 2, 3, 1))
        return torch.from_numpy(images_NHWC).permute(0, 3, 1, 2)
