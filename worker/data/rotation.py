"""The rotation target: images rotated by seeded angles, with the angle as the target.

Axes: N images, C channels, H height, W width.
"""

from dataclasses import replace

import numpy as np
from PIL import Image

from worker.data.dataset import Bytes, Dataset, Floats

MAX_DEGREES = 45
PURPOSE = 0x524F_5441  # separates this random stream from other streams of the same seed


def rotate(dataset: Dataset, seed: int) -> Dataset:
    """Rotate every image about its centre by a random angle within ±45°.

    The target is angle/45, in [−1, 1]; positive angles are counter-clockwise. Angles are uniform
    and depend only on the seed and the position of the image in the data set. Areas outside the
    original image become black.

    Args:
        dataset: the original images.
        seed: seed of the job.
    """
    targets_N = draw_angles(len(dataset), seed)
    images_NCHW = rotate_images(dataset.images, targets_N)
    return replace(dataset, images=images_NCHW, targets=targets_N, class_names=())


def draw_angles(count: int, seed: int) -> Floats:
    """Return the angles of the first `count` images, float32 [N] in units of 45°."""
    bits = np.random.PCG64(np.random.SeedSequence([PURPOSE, seed]))
    # The upper 53 bits as a float64 in [0, 1). numpy guarantees only the raw stream to be stable.
    uniform_N = (np.asarray(bits.random_raw(count), np.uint64) >> 11) / 2**53
    return (2 * uniform_N - 1).astype(np.float32)


def rotate_images(images_NCHW: np.ndarray, angles_N: Floats) -> Bytes:
    """Return images rotated by angles in units of 45°, [N, C, H, W]."""
    rotated_NCHW = np.empty(images_NCHW.shape, np.uint8)
    for index, (image, angle) in enumerate(zip(images_NCHW, angles_N, strict=True)):
        for channel, plane in enumerate(image):
            rotated = Image.fromarray(np.ascontiguousarray(plane)).rotate(
                float(angle) * MAX_DEGREES, Image.Resampling.BILINEAR
            )
            rotated_NCHW[index, channel] = np.asarray(rotated)
    return rotated_NCHW
