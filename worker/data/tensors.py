"""Images and labels as tensors that own their memory."""

import numpy as np
import torch

from worker.data.dataset import Dataset, Integers


def take(dataset: Dataset, indices: Integers) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Copy the images at `indices` out of the cache.

    Returns:
        images_NCHW uint8 (of a table float32), labels_N int64 or, where numbers are asked for,
        float32, and indices_N int64, all contiguous on the CPU.
    """
    images_NCHW = np.ascontiguousarray(dataset.images[indices])
    numbers = dataset.targets
    return (
        torch.from_numpy(images_NCHW),
        torch.from_numpy((dataset.labels if numbers is None else numbers)[indices]),
        torch.from_numpy(indices.astype(np.int64)),
    )
