"""Another size or number of channels for all images of a set, made once and then cached."""

from collections.abc import Iterator

import numpy as np
from PIL import Image

from worker.data.cache import Cached
from worker.data.dataset import Bytes, Content, in_blocks

# ITU-R BT.601 in 16-bit fixed point, exact on every machine: 0.299, 0.587, 0.114
LUMINANCE = (19_595, 38_470, 7_471)


def luminance(images_NCHW: Bytes) -> Bytes:
    """Grey from red, green and blue, [N, 3, H, W] to [N, 1, H, W].

    Source: ITU-R BT.601, Y = 0.299 R + 0.587 G + 0.114 B, rounded to the nearest.
    """
    red, green, blue = (images_NCHW[:, channel].astype(np.uint32) for channel in range(3))
    total = red * LUMINANCE[0] + green * LUMINANCE[1] + blue * LUMINANCE[2] + 0x8000
    return (total >> 16).astype(np.uint8)[:, None]


def resized(images_NCHW: Bytes, size: int) -> Bytes:
    """Square images of another side length, [N, C, H, W] to [N, C, size, size].

    Bilinear as Pillow does it: its support grows when shrinking, so nothing is aliased.
    """
    count, channels, height, width = images_NCHW.shape
    if (height, width) == (size, size):
        return images_NCHW
    planes = images_NCHW.reshape(count * channels, height, width)
    made = np.empty((count * channels, size, size), np.uint8)
    for index, plane in enumerate(planes):
        picture = Image.fromarray(plane).resize((size, size), Image.Resampling.BILINEAR)
        made[index] = np.asarray(picture)
    return made.reshape(count, channels, size, size)


def in_shape(images_NCHW: Bytes, size: int, channels: int) -> Bytes:
    """Images in another size, and with another number of channels.

    Three channels of grey images are the same one, repeated without memory for it; one of
    coloured ones is their luminance.
    """
    count, own_channels = images_NCHW.shape[:2]
    grey_NCHW = luminance(images_NCHW) if channels < own_channels else images_NCHW
    return np.broadcast_to(resized(grey_NCHW, size), (count, channels, size, size))


def variant(original: Cached, size: int, channels: int) -> Content:
    """The content in another size, and grey where one channel is asked of three.

    Three channels of a grey set are not made here: repeating a channel needs no memory.
    """
    images_NCHW = original.images
    count, own_channels = images_NCHW.shape[:2]
    kept = min(channels, own_channels)

    def blocks() -> Iterator[Bytes]:
        for block in in_blocks(images_NCHW):
            yield in_shape(block, size, kept)

    return Content(
        (count, kept, size, size),
        blocks(),
        original.labels,
        original.first_test,
        original.content_hash,
    )
