"""A picture of a batch before and after augmentation. Axes: N, H, W, C."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from shared.datasets import ROTATION_TARGET, SYNTHETIC
from worker import data as datasets
from worker.augmentations.compose import compose
from worker.data import synthetic
from worker.data.resize import to_shape
from worker.data.rotation import draw_angles, rotate_images

#: Pixels between images.
GAP = 4
#: Smaller images are enlarged to at least this many pixels on their longer side.
MIN_SIDE = 96
BACKGROUND = 255
#: Of 0 to 9: higher levels take several times as long and hardly shrink photographs further.
COMPRESSION = 1


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
    sheet_HWC = _sheet([originals_NCHW, augmented_NCHW])
    png = io.BytesIO()
    Image.fromarray(sheet_HWC).save(png, format="PNG", compress_level=COMPRESSION)
    return png.getvalue()


def _choose_images(request: dict[str, Any], data_dir: Path, cache_dir: Path) -> torch.Tensor:
    """Return the images as a job trains on them; only these are resized and rotated."""
    dataset, count, seed = request["dataset"], request["count"], request["seed"]
    generator = torch.Generator().manual_seed(seed)
    if dataset["name"] == SYNTHETIC.name:
        # Drawn in the requested size: few, and not for the cache.
        drawn = synthetic.generate(count, dataset["image_size"])
        originals_NCHW, available = np.concatenate(list(drawn.blocks)), count
    else:
        loaded = datasets.load(dataset["name"], data_dir=data_dir, cache_dir=cache_dir)
        originals_NCHW, available = loaded.images, len(loaded)
    chosen_N = torch.randperm(available, generator=generator)[:count].numpy()
    pixels_NCHW = np.asarray(originals_NCHW[chosen_N], np.uint8)
    images_NCHW = to_shape(pixels_NCHW, dataset["image_size"], dataset["channels"])
    if dataset.get("target") == ROTATION_TARGET:
        images_NCHW = rotate_images(images_NCHW, draw_angles(available, seed)[chosen_N])
    return torch.from_numpy(images_NCHW.copy()).float()


def _sheet(rows: list[torch.Tensor]) -> np.ndarray:
    """Return rows of images on one sheet [H, W, 3], enlarged by a whole factor."""
    count, channels, height, width = rows[0].shape
    factor = max(1, -(-MIN_SIDE // max(height, width)))
    tile_height, tile_width = height * factor, width * factor
    sheet_height = GAP + len(rows) * (tile_height + GAP)
    sheet_width = GAP + count * (tile_width + GAP)
    sheet_HWC = np.full((sheet_height, sheet_width, 3), BACKGROUND, np.uint8)
    for row, images_NCHW in enumerate(rows):
        pixels_NHWC = images_NCHW.round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()
        tiles_NHWC = pixels_NHWC.repeat(factor, axis=1).repeat(factor, axis=2)
        if channels == 1:
            tiles_NHWC = tiles_NHWC.repeat(3, axis=3)
        top = GAP + row * (tile_height + GAP)
        for column, tile_HWC in enumerate(tiles_NHWC):
            left = GAP + column * (tile_width + GAP)
            sheet_HWC[top : top + tile_height, left : left + tile_width] = tile_HWC
    return sheet_HWC
