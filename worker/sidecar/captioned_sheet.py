"""Pictures of test samples as people see them: one alone, or many on a sheet with captions.

Axes: C channels, H height, W width.
"""

import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from worker.data.dataset import Bytes
from worker.sidecar.sheet import as_png

#: A smaller picture is enlarged by a whole factor to at least this many pixels.
MIN_SIDE = 224
#: On a sheet, pictures are enlarged to the first, and reduced to the second.
MIN_TILE_SIDE, MAX_TILE_SIDE = 128, 256
GAP = 12
#: Width per height of a sheet.
PROPORTION = 1.6
FONT_SIZE, LINE_HEIGHT = 13, 17
#: Fonts of the system that have more letters than Pillow's own, which has ASCII only.
FONTS = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf")
#: A character that no font has.
ABSENT = "\U0010fffd"
BACKGROUND, INK, SHORTENED = "white", "black", "..."

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def picture_of(image_CHW: Bytes) -> bytes:
    """Return a sample as a PNG, enlarged without smoothing if it is small."""
    return as_png(_enlarged(_image(image_CHW), MIN_SIDE))


def sheet_of(images: Sequence[Bytes], captions: Sequence[Sequence[str]], title: str) -> bytes:
    """Return a PNG with a title, and the samples with the lines of their captions below them.

    Args:
        images: uint8 [C, H, W] each.
        captions: the same number of lines for each image.
        title: above them.
    """
    tiles = [_tile(image_CHW) for image_CHW in images]
    width, height = tiles[0].size if tiles else (MIN_TILE_SIDE, 0)
    cell_width = width + GAP
    cell_height = height + GAP + (LINE_HEIGHT * len(captions[0]) if captions else 0)
    columns = max(1, round((len(tiles) * PROPORTION * cell_height / cell_width) ** 0.5))
    rows = -(-len(tiles) // columns)
    font, top = _font(), GAP + LINE_HEIGHT + GAP // 2
    sheet_width = max(GAP + columns * cell_width, round(font.getlength(title)) + 2 * GAP)
    sheet = Image.new("RGB", (sheet_width, top + rows * cell_height + GAP), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    draw.text((GAP, GAP), title, INK, font)
    for number, (tile, lines) in enumerate(zip(tiles, captions, strict=True)):
        left = GAP + number % columns * cell_width
        upper = top + number // columns * cell_height
        sheet.paste(tile, (left, upper))
        for line, text in enumerate(lines):
            below = upper + height + 2 + line * LINE_HEIGHT
            draw.text((left, below), _shortened(text, width), INK, font)
    return as_png(sheet)


def shown_name(name: str, label: int) -> str:
    """Return the name of a class with the letters that the font has, or else its number.

    Accents are left out where a letter with its accent is missing.
    """
    for form in (name, _without_accents(name)):
        text = " ".join(form.split())
        if text and all(_has(character) for character in text):
            return text
    return f"class {label}"


def _without_accents(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(c for c in decomposed if not unicodedata.combining(c))


@cache
def _font() -> Font:
    for name in FONTS:
        with suppress(OSError):
            return ImageFont.truetype(name, FONT_SIZE)
    return ImageFont.load_default(FONT_SIZE)


@cache
def _has(character: str) -> bool:
    """Return whether the font can draw a character, which must be visible."""
    return character.isprintable() and _drawn(character) != _drawn(ABSENT)


def _drawn(character: str) -> bytes:
    glyph = Image.new("L", (2 * FONT_SIZE, 2 * FONT_SIZE))
    ImageDraw.Draw(glyph).text((0, 0), character, 255, _font())
    return glyph.tobytes()


def _shortened(text: str, width: int) -> str:
    """Return text that is at most `width` pixels wide, with the end left out."""
    font = _font()
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + SHORTENED) > width:
        text = text[:-1]
    return text + SHORTENED


def _tile(image_CHW: Bytes) -> Image.Image:
    image = _enlarged(_image(image_CHW), MIN_TILE_SIDE)
    image.thumbnail((MAX_TILE_SIDE, MAX_TILE_SIDE))
    return image


def _image(image_CHW: Bytes) -> Image.Image:
    """Return the pixels as an image, grey if they have one channel."""
    pixels_HWC = np.ascontiguousarray(image_CHW.transpose(1, 2, 0))
    return Image.fromarray(pixels_HWC[..., 0] if len(image_CHW) == 1 else pixels_HWC)


def _enlarged(image: Image.Image, side: int) -> Image.Image:
    factor = -(-side // max(image.size))
    size = (image.width * factor, image.height * factor)
    return image.resize(size, Image.Resampling.NEAREST) if factor > 1 else image
