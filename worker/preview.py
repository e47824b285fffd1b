"""A picture of a batch before and after augmentation. Axes: N, H, W, C as ever."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from worker import data as datasets
from worker.build import augment

#: Pixels between pictures, and the smallest side at which a picture is shown.
GAP = 4
SMALLEST_SIDE = 96
BACKGROUND = 255
#: Of what may be made for a picture: a synthetic set is drawn as it is asked for.
SYNTHETIC_IMAGES = 64


def picture(question: dict[str, Any], *, data_dir: Path, cache_dir: Path) -> bytes:
    """A PNG of `count` images in a row, and beneath each what was made of it.

    Args:
        question: dataset (a specification's part), augmentation (object form), seed, count.
        data_dir: where raw data sets lie.
        cache_dir: where decoded ones are kept.

    Raises:
        DatasetMissing: the data set cannot be had.
    """
    asked, count = question["dataset"], question["count"]
    loaded = datasets.load(
        asked["name"],
        data_dir=data_dir,
        cache_dir=cache_dir,
        image_size=asked.get("image_size"),
        channels=asked.get("channels"),
        parameters={"images": SYNTHETIC_IMAGES},
    )
    generator = torch.Generator().manual_seed(question["seed"])
    chosen_N = torch.randperm(len(loaded.labels), generator=generator)[:count]
    images = np.ascontiguousarray(loaded.images[chosen_N.numpy()])
    originals_NCHW = torch.from_numpy(images).float()
    change = augment(question["augmentation"])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(question["seed"])
        made_NCHW = originals_NCHW if change is None else change(originals_NCHW)
    sheet = _sheet([originals_NCHW, made_NCHW])
    out = io.BytesIO()
    Image.fromarray(sheet).save(out, format="PNG")
    return out.getvalue()


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
