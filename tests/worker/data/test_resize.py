import numpy as np
from PIL import Image

from worker.data.cache import Cached
from worker.data.resize import luminance, resized, variant


def test_luminance_is_that_of_bt_601_as_pillow_has_it() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (5, 3, 40, 40), np.uint8)
    for image, grey in zip(colours, luminance(colours), strict=True):
        theirs = np.asarray(Image.fromarray(image.transpose(1, 2, 0)).convert("L"))
        assert np.array_equal(grey[0], theirs)


def test_weights_of_luminance_add_up_to_one() -> None:
    assert luminance(np.full((1, 3, 2, 2), 255, np.uint8)).tolist() == [[[[255, 255]] * 2]]


def test_each_channel_is_resized_by_itself() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 3, 8, 8), np.uint8)
    made = resized(images, 12)
    alone = Image.fromarray(images[2, 1]).resize((12, 12), Image.Resampling.BILINEAR)
    assert made.shape == (3, 3, 12, 12)
    assert np.array_equal(made[2, 1], np.asarray(alone))


def test_shrinking_averages_instead_of_skipping() -> None:
    checks = (np.indices((32, 32)).sum(axis=0) % 2 * 255).astype(np.uint8)
    assert np.abs(resized(checks[None, None], 8).astype(int) - 128).max() <= 16


def test_a_variant_keeps_labels_test_images_and_hash() -> None:
    images = np.zeros((6, 3, 8, 8), np.uint8)
    made = variant(Cached(images, np.arange(6), 4, "sha256:abc"), 16, 1)
    assert made.shape == (6, 1, 16, 16)
    assert (made.first_test, made.content_hash) == (4, "sha256:abc")
    assert made.labels.tolist() == [*range(6)]
