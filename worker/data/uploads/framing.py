"""Fitting a picture of any shape into a square."""

from PIL import Image

CROP, PAD, STRETCH = "crop", "pad", "stretch"
METHODS = (CROP, PAD, STRETCH)


def frame(image: Image.Image, size: int, resize: str = CROP) -> Image.Image:
    """Return a picture as a square, by Pillow's bilinear filter, which widens when it shrinks.

    Args:
        image: of the mode L or RGB.
        size: side length in pixels.
        resize: `crop` scales the shorter side and keeps the centre, `pad` scales the longer side
            and fills the rest with black, `stretch` ignores the proportions.
    """
    width, height = image.size
    bilinear = Image.Resampling.BILINEAR
    if (width, height) == (size, size):
        return image
    if resize == STRETCH:
        return image.resize((size, size), bilinear)
    if resize == CROP:
        side = min(width, height)
        left, top = (width - side) / 2, (height - side) / 2
        return image.resize((size, size), bilinear, box=(left, top, left + side, top + side))
    if resize != PAD:
        raise ValueError(f"resize is {resize}; it must be one of {', '.join(METHODS)}.")
    scale = size / max(width, height)
    inside = (max(1, round(width * scale)), max(1, round(height * scale)))
    square = Image.new(image.mode, (size, size))
    corner = ((size - inside[0]) // 2, (size - inside[1]) // 2)
    square.paste(image.resize(inside, bilinear), corner)
    return square
