from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tests.worker.data.test_splits import dataset
from worker.data import Dataset
from worker.data.rotation import rotated

COUNT = 400


@pytest.fixture
def upright() -> Dataset:
    """Each image: a bright bar from the centre to the right, on black."""
    images = np.zeros((COUNT, 1, 33, 33), np.uint8)
    images[:, :, 15:18, 16:] = 200
    return replace(dataset([0] * COUNT), images=images)


def test_the_target_is_the_angle_by_which_the_image_was_turned(upright: Dataset) -> None:
    turned = rotated(upright, seed=3)
    assert turned.targets is not None
    y, x = np.mgrid[:33, :33] - 16
    for image, target in zip(turned.images[:50, 0], turned.targets[:50], strict=True):
        weights = image / image.sum()
        # Up is −y in a picture, and counter-clockwise is positive.
        measured = np.degrees(np.arctan2(-(weights * y).sum(), (weights * x).sum()))
        assert measured == pytest.approx(45 * target, abs=1.5)


def test_angles_are_uniform_within_45_degrees(upright: Dataset) -> None:
    targets = rotated(upright, seed=0).targets
    assert targets is not None
    assert targets.min() >= -1
    assert targets.max() <= 1
    assert abs(targets.mean()) < 0.1
    assert targets.var() == pytest.approx(1 / 3, rel=0.15)


def test_the_seed_alone_decides(upright: Dataset) -> None:
    first, again, other = (rotated(upright, seed) for seed in (1, 1, 2))
    assert np.array_equal(first.images, again.images)
    assert not np.array_equal(first.targets, other.targets)


def test_it_is_pillow_s_rotation_and_leaves_the_original_alone(upright: Dataset) -> None:
    before = upright.images.copy()
    turned = rotated(upright, seed=5)
    assert turned.targets is not None
    angle = 45 * float(turned.targets[7])
    picture = Image.fromarray(upright.images[7, 0]).rotate(angle, Image.Resampling.BILINEAR)
    assert np.array_equal(turned.images[7, 0], np.asarray(picture))
    assert np.array_equal(upright.images, before)
    assert turned.class_names == ()
