from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tests.worker.data.test_splits import dataset
from worker.data import Dataset
from worker.data.rotation import rotate

COUNT = 400


@pytest.fixture
def upright() -> Dataset:
    """Images of a bright bar from the centre to the right, on black."""
    images = np.zeros((COUNT, 1, 33, 33), np.uint8)
    images[:, :, 15:18, 16:] = 200
    return replace(dataset([0] * COUNT), images=images)


def test_target_is_the_angle_of_the_rotation(upright: Dataset) -> None:
    rotated = rotate(upright, seed=3)
    assert rotated.targets is not None
    y, x = np.mgrid[:33, :33] - 16
    for image, target in zip(rotated.images[:50, 0], rotated.targets[:50], strict=True):
        weights = image / image.sum()
        # Up is −y in a picture, and counter-clockwise is positive.
        measured = np.degrees(np.arctan2(-(weights * y).sum(), (weights * x).sum()))
        assert measured == pytest.approx(45 * target, abs=1.5)


def test_angles_are_uniform_within_45_degrees(upright: Dataset) -> None:
    targets = rotate(upright, seed=0).targets
    assert targets is not None
    assert targets.min() >= -1
    assert targets.max() <= 1
    assert abs(targets.mean()) < 0.1
    assert targets.var() == pytest.approx(1 / 3, rel=0.15)


def test_angles_depend_only_on_the_seed(upright: Dataset) -> None:
    first, again, other = (rotate(upright, seed) for seed in (1, 1, 2))
    assert np.array_equal(first.images, again.images)
    assert not np.array_equal(first.targets, other.targets)


def test_rotation_is_the_same_as_in_pillow_and_keeps_the_original(upright: Dataset) -> None:
    before = upright.images.copy()
    rotated = rotate(upright, seed=5)
    assert rotated.targets is not None
    angle = 45 * float(rotated.targets[7])
    picture = Image.fromarray(upright.images[7, 0]).rotate(angle, Image.Resampling.BILINEAR)
    assert np.array_equal(rotated.images[7, 0], np.asarray(picture))
    assert np.array_equal(upright.images, before)
    assert rotated.class_names == ()
