"""Conversion of decoded pixels to 8 bits of grey or RGB.

Axes: H height, W width.
"""

import numpy as np
from PIL import Image

from worker.data.uploads.faults import BadFile

WHITE = (255, 255, 255)
MAX_16_BIT = 65_535
STRIP_ROWS = 256
TRANSPARENT = {"LA", "La", "PA", "RGBA", "RGBa"}


def to_eight_bits(image: Image.Image) -> Image.Image:
    """Return an image of the mode L if it is grey, otherwise RGB; transparency is drawn on white.

    Raises:
        BadFile: the pixels are numbers without an agreed range.
    """
    mode = image.mode
    if mode in {"L", "RGB"} and "transparency" not in image.info:
        return image
    if mode.startswith("I;16"):
        return _scaled(image)
    if mode in {"I", "F"}:
        bits = _bits_per_sample(image)
        if mode == "I" and bits <= 16:
            return _scaled(image)
        what = "floating-point numbers" if mode == "F" else "32-bit numbers"
        raise BadFile(f"has {what} as pixels, whose range is not known; save it in 8 or 16 bits")
    if mode in TRANSPARENT or "transparency" in image.info:
        return _on_white(image)
    return image.convert("L" if mode == "1" else "RGB")


def from_array(pixels: np.ndarray) -> Image.Image:
    """Return the image of uint8 pixels [H, W] or [H, W, C] with 1, 3 or 4 channels."""
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    return to_eight_bits(Image.fromarray(np.ascontiguousarray(pixels)))


def _on_white(image: Image.Image) -> Image.Image:
    """Return a picture with its transparent pixels on white. Strip by strip, for memory."""
    is_grey = image.mode in {"1", "L", "LA", "La"}
    shown = "L" if is_grey else "RGB"
    straight = {"LA": "LA", "La": "LA"}.get(image.mode, "RGBA")
    white = Image.new(shown, image.size, 255 if is_grey else WHITE)
    for top in range(0, image.height, STRIP_ROWS):
        box = (0, top, image.width, min(top + STRIP_ROWS, image.height))
        strip = image.crop(box).convert(straight)
        white.paste(strip.convert(shown), (0, top), mask=strip.getchannel("A"))
    return white


def _scaled(image: Image.Image) -> Image.Image:
    """Return 16-bit grey values as 8 bits: v · 255/65,535, rounded. Strip by strip, for memory."""
    shown = Image.new("L", image.size)
    for top in range(0, image.height, STRIP_ROWS):
        box = (0, top, image.width, min(top + STRIP_ROWS, image.height))
        values_HW = np.asarray(image.crop(box)).astype(np.int64)
        if values_HW.min() < 0 or values_HW.max() > MAX_16_BIT:
            raise BadFile("has pixels outside 0 to 65,535; save it in 8 or 16 bits")
        bytes_HW = ((values_HW * 255 + MAX_16_BIT // 2) // MAX_16_BIT).astype(np.uint8)
        shown.paste(Image.fromarray(bytes_HW), (0, top))
    return shown


def _bits_per_sample(image: Image.Image) -> int:
    """Return the bits of a TIFF file's samples; 16 for other formats, which have no more."""
    tags = getattr(image, "tag_v2", None)
    bits = (16,) if tags is None else tags.get(258, (1,))
    return max(bits) if isinstance(bits, tuple) else int(bits)
