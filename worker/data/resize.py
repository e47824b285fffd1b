"""Images in another size or with another number of channels."""

from collections.abc import Iterator

import numpy as np
from PIL import Image

from worker.data.cache import Cached
from worker.data.dataset import Bytes, Content, in_blocks

#: ITU-R BT.601 in 16-bit fixed point, exact on every machine: 0.299, 0.587, 0.114.
LUMINANCE = (19_595, 38_470, 7_471)


def luminance(images_NCHW: Bytes) -> Bytes:
    """Return the luminance of colour images, [N, 3, H, W] → [N, 1, H, W].

    Source: ITU-R BT.601, Y = 0.299 R + 0.587 G + 0.114 B, rounded to the nearest integer.
    """
    red, green, blue = (images_NCHW[:, channel].astype(np.uint32) for channel in range(3))
    total = red * LUMINANCE[0] + green * LUMINANCE[1] + blue * LUMINANCE[2] + 0x8000
    return (total >> 16).astype(np.uint8)[:, None]


def resize(images_NCHW: Bytes, size: int) -> Bytes:
    """Return square images of another side length, [N, C, H, W] → [N, C, size, size].

    Bilinear, by Pillow, whose filter widens when shrinking, so there is no aliasing.
    """
    count, channels, height, width = images_NCHW.shape
    if (height, width) == (size, size):
        return images_NCHW
    planes = images_NCHW.reshape(count * channels, height, width)
    resized = np.empty((count * channels, size, size), np.uint8)
    for index, plane in enumerate(planes):
        picture = Image.fromarray(plane).resize((size, size), Image.Resampling.BILINEAR)
        resized[index] = np.asarray(picture)
    return resized.reshape(count, channels, size, size)


def to_shape(images_NCHW: Bytes, size: int, channels: int) -> Bytes:
    """Return images in another size and with another number of channels.

    Three channels of grey images are a repeated view that takes no memory; one channel of colour
    images is their luminance.
    """
    count, own_channels = images_NCHW.shape[:2]
    grey_NCHW = luminance(images_NCHW) if channels < own_channels else images_NCHW
    return np.broadcast_to(resize(grey_NCHW, size), (count, channels, size, size))


def resized_content(original: Cached, size: int, channels: int) -> Content:
    """Return the content of a cache entry in another size, as luminance if `channels` is 1.

    Grey images keep their single channel: repeating it later takes no memory.
    """
    images_NCHW = original.images
    count, own_channels = images_NCHW.shape[:2]
    stored_channels = min(channels, own_channels)

    def blocks() -> Iterator[Bytes]:
        for block in in_blocks(images_NCHW):
            yield to_shape(block, size, stored_channels)

    return Content(
        (count, stored_channels, size, size),
        blocks(),
        original.labels,
        original.first_test,
        original.content_hash,
    )
