import numpy as np
from PIL import Image

from worker.data.cache import Cached
from worker.data.resize import luminance, resize, resized_content


def test_luminance_is_the_same_as_in_pillow() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (5, 3, 40, 40), np.uint8)
    for image, grey in zip(colours, luminance(colours), strict=True):
        theirs = np.asarray(Image.fromarray(image.transpose(1, 2, 0)).convert("L"))
        assert np.array_equal(grey[0], theirs)


def test_luminance_of_white_is_white() -> None:
    assert luminance(np.full((1, 3, 2, 2), 255, np.uint8)).tolist() == [[[[255, 255]] * 2]]


def test_channels_are_resized_separately() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 3, 8, 8), np.uint8)
    resized = resize(images, 12)
    expected = Image.fromarray(images[2, 1]).resize((12, 12), Image.Resampling.BILINEAR)
    assert resized.shape == (3, 3, 12, 12)
    assert np.array_equal(resized[2, 1], np.asarray(expected))


def test_shrinking_averages_pixels() -> None:
    checks = (np.indices((32, 32)).sum(axis=0) % 2 * 255).astype(np.uint8)
    assert np.abs(resize(checks[None, None], 8).astype(int) - 128).max() <= 16


def test_resized_content_keeps_labels_test_split_and_hash() -> None:
    images = np.zeros((6, 3, 8, 8), np.uint8)
    resized = resized_content(Cached(images, np.arange(6), 4, "sha256:abc"), 16, 1)
    assert resized.shape == (6, 1, 16, 16)
    assert (resized.first_test, resized.content_hash) == (4, "sha256:abc")
    assert resized.labels.tolist() == [*range(6)]
