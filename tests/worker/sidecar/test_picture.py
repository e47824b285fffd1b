"""The picture of a batch before and after augmentation."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from worker import data as datasets
from worker.data import resize
from worker.sidecar.picture import picture
from worker.sidecar.sheet import GAP

SIDE = 96
DIGITS = {"name": "digits", "image_size": 8, "channels": 1}


def _sheet(tmp_path: Path, **changes: Any) -> np.ndarray:
    request = {"dataset": DIGITS, "augmentation": {}, "seed": 3, "count": 4}
    png = picture({**request, **changes}, data_dir=tmp_path / "d", cache_dir=tmp_path / "c")
    return np.asarray(Image.open(io.BytesIO(png)))


def _rows(sheet: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return sheet[GAP : GAP + SIDE], sheet[2 * GAP + SIDE : 2 * GAP + 2 * SIDE]


def test_originals_are_above_their_augmented_images(tmp_path: Path) -> None:
    sheet = _sheet(tmp_path, augmentation={"vertical_flip": {"probability": 1.0}})
    assert sheet.shape == (2 * SIDE + 3 * GAP, 4 * SIDE + 5 * GAP, 3)
    above, below = _rows(sheet)
    assert np.array_equal(above[::-1], below)
    assert not np.array_equal(above, below)


def test_rows_are_equal_without_augmentation(tmp_path: Path) -> None:
    above, below = _rows(_sheet(tmp_path))
    assert np.array_equal(above, below)


def test_seed_decides_images_and_augmentation(tmp_path: Path) -> None:
    rotated = {"augmentation": {"rotation": {"degrees": 30.0}}}
    assert np.array_equal(_sheet(tmp_path, **rotated), _sheet(tmp_path, **rotated))
    assert not np.array_equal(_sheet(tmp_path, **rotated), _sheet(tmp_path, **rotated, seed=4))


def test_picture_has_colour_and_the_size_of_its_images(tmp_path: Path) -> None:
    dataset = {"name": "synthetic", "image_size": 32, "channels": 3}
    sheet = _sheet(tmp_path, dataset=dataset, count=32)
    assert sheet.shape == (2 * SIDE + 3 * GAP, 32 * SIDE + 33 * GAP, 3)
    assert (sheet[..., 0] != sheet[..., 1]).any(), "it is in colour"


def test_no_more_images_are_resized_than_are_sheet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resized: list[int] = []
    plain = resize.resize

    def counted(images_NCHW: np.ndarray, size: int) -> np.ndarray:
        resized.append(len(images_NCHW))
        return plain(images_NCHW, size)

    monkeypatch.setattr(resize, "resize", counted)
    sheet = _sheet(tmp_path, dataset={**DIGITS, "image_size": 128}, count=2)
    assert sheet.shape == (2 * 128 + 3 * GAP, 2 * 128 + 3 * GAP, 3)
    assert resized == [2]
    _sheet(tmp_path, dataset={"name": "synthetic", "image_size": 64, "channels": 1}, count=3)
    cached = {path.name for path in (tmp_path / "c").glob("*.json")}
    assert cached == {"digits-8x1.json"}, "a picture leaves no other size in the cache"


@pytest.mark.parametrize("target", [None, "rotation"])
@pytest.mark.parametrize(("size", "channels"), [(8, 1), (12, 3)])
def test_images_are_the_images_of_a_job(
    tmp_path: Path, size: int, channels: int, target: str | None
) -> None:
    dataset = {**DIGITS, "image_size": size, "channels": channels, "target": target}
    counts = {"train": 1497, "validation": 150, "test": 150}
    trained, _ = datasets.load_splits(
        {**dataset, **counts}, seed=3, data_dir=tmp_path / "d", cache_dir=tmp_path / "c"
    )
    above, _ = _rows(_sheet(tmp_path, dataset=dataset, count=4))
    images = {image.transpose(1, 2, 0).tobytes() for image in trained.images}
    factor = SIDE // size
    for column in range(4):
        left = GAP + column * (SIDE + GAP)
        tile = above[::factor, left : left + SIDE : factor, :channels]
        assert np.ascontiguousarray(tile).tobytes() in images
