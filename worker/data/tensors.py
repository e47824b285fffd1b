"""Conversion of a data set's images and labels to tensors."""

import numpy as np
import torch

from worker.data.dataset import Dataset, Integers
from worker.data.mapped_images import MappedImages


def take(dataset: Dataset, indices: Integers) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Copy the samples at `indices` out of the cache.

    Returns:
        images_NCHW uint8 (float64 for a table), labels_N int64 (float32 or float64 targets for a
        regression), and indices_N int64; all contiguous, on the CPU, and independent of the cache.
    """
    images_NCHW = np.ascontiguousarray(dataset.images[indices])
    return torch.from_numpy(images_NCHW), *_targets(dataset, indices)


def map_images(
    dataset: Dataset, indices: Integers
) -> tuple[MappedImages, torch.Tensor, torch.Tensor]:
    """Return the samples at `indices` as `take` does, but leave the images in the cache.

    Raises:
        ValueError: the data set is a table, whose rows are in memory anyway.
    """
    if dataset.images.dtype != np.uint8:
        raise ValueError(f"The images are {dataset.images.dtype}; only uint8 is mapped.")
    return MappedImages(dataset.images.view(np.uint8), indices), *_targets(dataset, indices)


def _targets(dataset: Dataset, indices: Integers) -> tuple[torch.Tensor, torch.Tensor]:
    targets_N = dataset.labels if dataset.targets is None else dataset.targets
    return torch.from_numpy(targets_N[indices]), torch.from_numpy(indices.astype(np.int64))
