"""A picture of a batch before and after augmentation. Axes: N, H, W, C as ever."""

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

#: Pixels between pictures, and the smallest side at which a picture is shown.
GAP = 4
SMALLEST_SIDE = 96
BACKGROUND = 255
#: Of 0 to 9: photographs hardly get smaller by more, and take several times as long.
COMPRESSION = 1


def picture(question: dict[str, Any], *, data_dir: Path, cache_dir: Path) -> bytes:
    """A PNG of `count` images in a row, and beneath each what was made of it.

    Args:
        question: dataset (a specification's part, filled in), augmentation (object form), seed,
            count.
        data_dir: where raw data sets lie.
        cache_dir: where decoded ones are kept.

    Raises:
        DatasetMissing: the data set cannot be had.
    """
    originals_NCHW = _chosen(question, data_dir, cache_dir)
    change = compose(question["augmentation"])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(question["seed"])
        made_NCHW = originals_NCHW if change is None else change(originals_NCHW)
    sheet = _sheet([originals_NCHW, made_NCHW])
    out = io.BytesIO()
    Image.fromarray(sheet).save(out, format="PNG", compress_level=COMPRESSION)
    return out.getvalue()


def _chosen(question: dict[str, Any], data_dir: Path, cache_dir: Path) -> torch.Tensor:
    """The images that are shown, as a training has them; no other is resized or turned."""
    asked, count, seed = question["dataset"], question["count"], question["seed"]
    generator = torch.Generator().manual_seed(seed)
    if asked["name"] == SYNTHETIC.name:
        # Drawn in the size that is asked for: few, and none for the cache.
        drawn = synthetic.generate(count, asked["image_size"])
        originals_NCHW, there = np.concatenate(list(drawn.blocks)), count
    else:
        loaded = datasets.load(asked["name"], data_dir=data_dir, cache_dir=cache_dir)
        originals_NCHW, there = loaded.images, len(loaded)
    chosen_N = torch.randperm(there, generator=generator)[:count].numpy()
    pixels_NCHW = np.asarray(originals_NCHW[chosen_N], np.uint8)
    images_NCHW = to_shape(pixels_NCHW, asked["image_size"], asked["channels"])
    if asked.get("target") == ROTATION_TARGET:
        images_NCHW = rotate_images(images_NCHW, draw_angles(there, seed)[chosen_N])
    return torch.from_numpy(images_NCHW.copy()).float()


def _sheet(rows: list[torch.Tensor]) -> np.ndarray:
    """Rows of images on one sheet [H, W, 3], enlarged by whole factors so that pixels show."""
    count, channels, height, width = rows[0].shape
    factor = max(1, -(-SMALLEST_SIDE // max(height, width)))
    high, wide = height * factor, width * factor
    sheet = np.full(
        (GAP + len(rows) * (high + GAP), GAP + count * (wide + GAP), 3), BACKGROUND, np.uint8
    )
    for row, images_NCHW in enumerate(rows):
        pixels = images_NCHW.round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()
        large = pixels.repeat(factor, axis=1).repeat(factor, axis=2)
        if channels == 1:
            large = large.repeat(3, axis=3)
        top = GAP + row * (high + GAP)
        for place, image in enumerate(large):
            left = GAP + place * (wide + GAP)
            sheet[top : top + high, left : left + wide] = image
    return sheet
