"""Images on a sheet, in rows. Axes: N images, C channels, H height, W width."""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from worker.data.dataset import Bytes

#: Pixels between images.
GAP = 4
#: Smaller images are enlarged to at least this many pixels on their longer side.
MIN_SIDE = 96
BACKGROUND = 255
#: Of 0 to 9: higher levels take several times as long and hardly shrink photographs further.
COMPRESSION = 1


def sheet(rows: Sequence[Bytes], *, left: int = 0, min_side: int = MIN_SIDE) -> Bytes:
    """Return rows of images on one sheet [H, W, 3], enlarged by a whole factor.

    Args:
        rows: uint8 [N, C, H, W] each, of the same size; N may differ.
        left: pixels that stay free on the left of each row.
        min_side: smaller images are enlarged to at least this many pixels.
    """
    _, channels, height, width = rows[0].shape
    factor = max(1, -(-min_side // max(height, width)))
    tile_height, tile_width = height * factor, width * factor
    columns = max(len(row) for row in rows)
    size = (GAP + len(rows) * (tile_height + GAP), left + GAP + columns * (tile_width + GAP), 3)
    sheet_HWC = np.full(size, BACKGROUND, np.uint8)
    for number, images_NCHW in enumerate(rows):
        tiles_NHWC = images_NCHW.transpose(0, 2, 3, 1).repeat(factor, axis=1).repeat(factor, axis=2)
        if channels == 1:
            tiles_NHWC = tiles_NHWC.repeat(3, axis=3)
        top = GAP + number * (tile_height + GAP)
        for column, tile_HWC in enumerate(tiles_NHWC):
            x = left + GAP + column * (tile_width + GAP)
            sheet_HWC[top : top + tile_height, x : x + tile_width] = tile_HWC
    return sheet_HWC


def as_png(image: Image.Image) -> bytes:
    """Return an image as a PNG."""
    png = io.BytesIO()
    image.save(png, format="PNG", compress_level=COMPRESSION)
    return png.getvalue()
