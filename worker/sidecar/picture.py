"""A picture of a batch before and after augmentation. Axes: N, H, W, C."""

from pathlib import Path
from typing import Any

import torch
from PIL import Image

from shared.datasets import ROTATION_TARGET
from worker.augmentations.compose import compose
from worker.data.rotation import draw_angles, rotate_images
from worker.data.some_images import some_images
from worker.sidecar.sheet import as_png, sheet


def picture(request: dict[str, Any], *, data_dir: Path, cache_dir: Path) -> bytes:
    """Return a PNG: `count` images in a row, and below each its augmented image.

    Args:
        request: dataset (that part of a filled specification), augmentation (object form), seed,
            count.
        data_dir: the directory of raw data sets.
        cache_dir: the directory of decoded data sets.

    Raises:
        DatasetMissing: the data set is neither on this machine nor can it be fetched.
    """
    originals_NCHW = _choose_images(request, data_dir, cache_dir)
    augment = compose(request["augmentation"])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(request["seed"])
        augmented_NCHW = originals_NCHW if augment is None else augment(originals_NCHW)
    rows = [
        images_NCHW.round().clamp(0, 255).byte().numpy()
        for images_NCHW in (originals_NCHW, augmented_NCHW)
    ]
    return as_png(Image.fromarray(sheet(rows)))


def _choose_images(request: dict[str, Any], data_dir: Path, cache_dir: Path) -> torch.Tensor:
    """Return the images as a job trains on them; only these are resized and rotated."""
    dataset, count, seed = request["dataset"], request["count"], request["seed"]
    generator = torch.Generator().manual_seed(seed)
    with some_images(dataset, drawn=count, data_dir=data_dir, cache_dir=cache_dir) as images:
        available = len(images.labels)
        chosen_N = torch.randperm(available, generator=generator)[:count].numpy()
        images_NCHW = images.take(chosen_N)
    if dataset.get("target") == ROTATION_TARGET:
        images_NCHW = rotate_images(images_NCHW, draw_angles(available, seed)[chosen_N])
    return torch.from_numpy(images_NCHW.copy()).float()
