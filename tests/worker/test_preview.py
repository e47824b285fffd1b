"""The picture of a batch before and after augmentation."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from worker.preview import GAP, picture

SIDE = 96


def _shown(tmp_path: Path, **changes: Any) -> np.ndarray:
    question = {"dataset": {"name": "digits"}, "augmentation": {}, "seed": 3, "count": 4}
    png = picture({**question, **changes}, data_dir=tmp_path / "d", cache_dir=tmp_path / "c")
    return np.asarray(Image.open(io.BytesIO(png)))


def _rows(sheet: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return sheet[GAP : GAP + SIDE], sheet[2 * GAP + SIDE : 2 * GAP + 2 * SIDE]


def test_originals_above_and_what_was_made_of_them_beneath(tmp_path: Path) -> None:
    sheet = _shown(tmp_path, augmentation={"vertical_flip": {"probability": 1.0}})
    assert sheet.shape == (2 * SIDE + 3 * GAP, 4 * SIDE + 5 * GAP, 3)
    above, beneath = _rows(sheet)
    assert np.array_equal(above[::-1], beneath)
    assert not np.array_equal(above, beneath)


def test_without_augmentation_both_rows_are_alike(tmp_path: Path) -> None:
    above, beneath = _rows(_shown(tmp_path))
    assert np.array_equal(above, beneath)


def test_the_seed_decides_which_and_how(tmp_path: Path) -> None:
    turned = {"augmentation": {"rotation": {"degrees": 30.0}}}
    assert np.array_equal(_shown(tmp_path, **turned), _shown(tmp_path, **turned))
    assert not np.array_equal(_shown(tmp_path, **turned), _shown(tmp_path, **turned, seed=4))


def test_colour_and_size(tmp_path: Path) -> None:
    asked = {"name": "synthetic", "image_size": 32}
    sheet = _shown(tmp_path, dataset=asked, count=32)
    assert sheet.shape == (2 * SIDE + 3 * GAP, 32 * SIDE + 33 * GAP, 3)
    assert (sheet[..., 0] != sheet[..., 1]).any(), "it is in colour"
