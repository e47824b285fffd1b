"""Images turned by seeded angles, with the angle as what is asked for. Axes: N, C, H, W as ever."""

from dataclasses import replace

import numpy as np
from PIL import Image

from worker.data.dataset import Bytes, Dataset, Floats

LARGEST_DEGREES = 45
PURPOSE = 0x524F_5441  # keeps this stream of random numbers apart from others of the same seed


def rotated(dataset: Dataset, seed: int) -> Dataset:
    """Turn every image about its centre by an angle of its own, within ±45°.

    What is asked for is angle/45, in [−1, 1]; an angle above 0 turns counter-clockwise. Angles
    are uniform, and each image's depends on the seed and its place in the data set alone. What
    comes in from outside the image is black.

    Args:
        dataset: the images as they are.
        seed: of the job.
    """
    targets_N = angles(len(dataset), seed)
    images_NCHW = turned(dataset.images, targets_N)
    return replace(dataset, images=images_NCHW, targets=targets_N, class_names=())


def angles(count: int, seed: int) -> Floats:
    """How far each of the first `count` images is turned, float32 [N] in units of 45°."""
    bits = np.random.PCG64(np.random.SeedSequence([PURPOSE, seed]))
    # The 53 bits of a float64 in [0, 1); raw output, since numpy keeps that stream the same.
    uniform_N = (np.asarray(bits.random_raw(count), np.uint64) >> 11) / 2**53
    return (2 * uniform_N - 1).astype(np.float32)


def turned(images_NCHW: np.ndarray, targets_N: Floats) -> Bytes:
    """Images [N, C, H, W] turned by their angles."""
    made_NCHW = np.empty(images_NCHW.shape, np.uint8)
    for place, (image, target) in enumerate(zip(images_NCHW, targets_N, strict=True)):
        for channel, plane in enumerate(image):
            picture = Image.fromarray(np.ascontiguousarray(plane)).rotate(
                float(target) * LARGEST_DEGREES, Image.Resampling.BILINEAR
            )
            made_NCHW[place, channel] = np.asarray(picture)
    return made_NCHW
