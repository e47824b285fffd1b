"""Conversion of a data set's images and labels to tensors."""

import numpy as np
import torch

from worker.data.dataset import Dataset, Integers


def take(dataset: Dataset, indices: Integers) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Copy the samples at `indices` out of the cache.

    Returns:
        images_NCHW uint8 (float64 for a table), labels_N int64 (float32 or float64 targets for a
        regression), and indices_N int64; all contiguous, on the CPU, and independent of the cache.
    """
    images_NCHW = np.ascontiguousarray(dataset.images[indices])
    targets_N = dataset.labels if dataset.targets is None else dataset.targets
    return (
        torch.from_numpy(images_NCHW),
        torch.from_numpy(targets_N[indices]),
        torch.from_numpy(indices.astype(np.int64)),
    )
