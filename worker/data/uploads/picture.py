"""A picture as people see it: turned as its camera says, on white, in 8 bits.

Predictions read their pictures here as well, so that they are prepared exactly as in training.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, UnidentifiedImageError

from worker.data.uploads.budget import Budget
from worker.data.uploads.faults import BadFile
from worker.data.uploads.formats import FORMATS, PictureFormat, describe
from worker.data.uploads.pixels import to_eight_bits

ORIENTATION = 0x0112
#: Source: Exif 2.32, 4.6.4 A, tag 274.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
#: All threads together. The checker may have 1 GB, of which Python and its libraries take a part.
PIXELS = Budget(450 * 10**6)


@contextmanager
def open_picture(content: bytes, at_least: int | None = None) -> Iterator[Image.Image]:
    """Decode a picture; its mode is L for grey and RGB for colour.

    An animation gives its first frame. 16-bit values are scaled, palettes and CMYK converted,
    transparent pixels drawn on white.

    Args:
        content: a PNG, JPEG, WebP, GIF, BMP or TIFF file.
        at_least: decode a large JPEG in a smaller size, but of at least this many pixels a side,
            in a fraction of the time; None for its own size.

    Raises:
        BadFile: the content is no such file, is damaged or has too many pixels.
    """
    image, limits = _open(content)
    if at_least is not None:
        image.draft(None, (at_least, at_least))
    passes = 2 if image.info.get("progressive") else 1
    with image, PIXELS.held(image.width * image.height * limits.bytes_per_pixel * passes):
        yield _decode(image)


def _open(content: bytes) -> tuple[Image.Image, PictureFormat]:
    """Open a picture and check its header; no pixel is decoded."""
    try:
        image = Image.open(io.BytesIO(content), formats=tuple(FORMATS))
    except UnidentifiedImageError:
        raise BadFile(describe(content)) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise BadFile("has far too many pixels") from None
    except Exception as error:  # noqa: BLE001 - damaged headers make Pillow raise almost anything
        raise BadFile(f"is damaged: {_reason(error)}") from None
    limits = FORMATS.get(image.format or "", FORMATS["JPEG"])  # a JPEG with more is an MPO
    if image.width * image.height > limits.max_pixels:
        size, limit = f"{image.width:,} × {image.height:,}", limits.max_pixels // 10**6
        image.close()
        raise BadFile(f"has {size} pixels; at most {limit} million are allowed")
    return image, limits


def _decode(image: Image.Image) -> Image.Image:
    try:
        image.load()
        turn = TURNS.get(_orientation(image))
        shown = to_eight_bits(image)
        return shown if turn is None else shown.transpose(turn)
    except BadFile:
        raise
    except Exception as error:  # noqa: BLE001 - damaged files make Pillow raise almost anything
        raise BadFile(f"is truncated or damaged: {_reason(error)}") from None


def _orientation(image: Image.Image) -> int:
    """Return the orientation that a camera wrote; 1 if there is none, or it cannot be read."""
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # noqa: BLE001 - a picture with damaged Exif data is still a picture
        return 1


def _reason(error: Exception) -> str:
    return str(error).split("\n", 1)[0][:120] or type(error).__name__
