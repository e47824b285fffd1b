"""Images and labels as tensors that own their memory."""

import numpy as np
import torch

from worker.data.dataset import Dataset, Integers


def take(dataset: Dataset, indices: Integers) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Copy the images at `indices` out of the cache.

    Returns:
        images_NCHW uint8, labels_N int64 and indices_N int64, all contiguous on the CPU.
    """
    images_NCHW = np.ascontiguousarray(dataset.images[indices])
    return (
        torch.from_numpy(images_NCHW),
        torch.from_numpy(dataset.labels[indices]),
        torch.from_numpy(indices.astype(np.int64)),
    )
