"""Every picture comes out as people see it."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from tests.worker.data.uploads.archives import encoded, noise
from worker.data.uploads import BadFile, open_picture

GRADIENT = np.tile(np.linspace(0, 255, 16).astype(np.uint8), (12, 1))


def _pixels(content: bytes) -> np.ndarray:
    with open_picture(content) as image:
        assert image.mode in {"L", "RGB"}
        return np.asarray(image).astype(int)


def _reason(content: bytes) -> str:
    with pytest.raises(BadFile) as caught, open_picture(content):
        pass
    return str(caught.value)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP", "GIF"])
def test_lossless_formats_keep_their_pixels(kind: str) -> None:
    image = noise(1).quantize(64).convert("RGB")
    options = {"lossless": True} if kind == "WEBP" else {}
    assert np.array_equal(_pixels(encoded(image, kind, **options)), np.asarray(image))


def test_jpeg_is_decoded_as_by_pillow() -> None:
    content = encoded(noise(1, size=(64, 48)), "JPEG", quality=95)
    assert np.array_equal(_pixels(content), np.asarray(Image.open(io.BytesIO(content))))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_picture_is_turned_as_its_camera_says(kind: str, orientation: int) -> None:
    upright = np.zeros((16, 24), np.uint8)
    upright[:8, :8], upright[:8, 8:] = 255, 128  # the top left corner is white
    stored = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: np.transpose,
        6: lambda a: np.rot90(a, 1),
        7: lambda a: np.rot90(np.transpose(a), 2),
        8: lambda a: np.rot90(a, -1),
    }[orientation](upright)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    image = Image.fromarray(np.ascontiguousarray(stored))
    pixels = _pixels(encoded(image, kind, exif=exif, **options))
    assert np.abs((pixels if pixels.ndim == 2 else pixels[..., 0]) - upright).max() <= 2


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_damaged_exif_data_does_not_hide_the_picture() -> None:
    content = encoded(Image.fromarray(GRADIENT), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    assert _pixels(content).shape == GRADIENT.shape


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_transparency_is_drawn_on_white(kind: str, mode: str) -> None:
    image = Image.new(mode, (3, 1))
    colours = {"RGBA": (200, 0, 0), "LA": (100,)}[mode]
    for x, alpha in enumerate((0, 128, 255)):
        image.putpixel((x, 0), (*colours, alpha))
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    pixels = _pixels(encoded(image, kind, **options))[0].reshape(3, -1)
    expected = [[round(255 + (c - 255) * a / 255) for c in colours] for a in (0, 128, 255)]
    assert np.abs(pixels - np.array(expected)).max() <= 1


def test_transparent_entry_of_a_palette_is_white() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 0])
    image.putpixel((1, 0), 1)
    for kind in ("PNG", "GIF"):
        assert _pixels(encoded(image, kind, transparency=0))[0].tolist() == [
            [255, 255, 255], [200, 100, 0],
        ]  # fmt: skip
    translucent = encoded(image, "PNG", transparency=bytes([128, 255]))
    assert np.abs(_pixels(translucent)[0, 0] - [132, 137, 142]).max() <= 1


@pytest.mark.parametrize(("mode", "value"), [("L", 7), ("RGB", (7, 8, 9))])
def test_transparent_colour_without_alpha_is_white(mode: str, value: object) -> None:
    image = Image.new(mode, (2, 1), value)  # type: ignore[arg-type]
    image.putpixel((1, 0), {"L": 80, "RGB": (80, 81, 82)}[mode])
    pixels = _pixels(encoded(image, "PNG", transparency=value))
    assert (pixels[0, 0] == 255).all()
    assert pixels[0, 1].max() in {80, 82}
    assert pixels.ndim == {"L": 2, "RGB": 3}[mode]


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_grey_is_scaled(kind: str) -> None:
    wide = (np.linspace(0, 65_535, 16).astype(np.uint16))[None]
    assert _pixels(encoded(Image.fromarray(wide), kind))[0].tolist() == [*range(0, 256, 17)]


def test_sixteen_bit_colour_is_scaled() -> None:
    row = b"\0" + struct.pack(">6H", 0, 32_768, 65_535, 257, 514, 65_278)
    chunks = [(b"IHDR", struct.pack(">2L5B", 2, 1, 16, 2, 0, 0, 0)), (b"IDAT", zlib.compress(row))]
    content = _png([*chunks, (b"IEND", b"")])
    assert np.abs(_pixels(content)[0] - [[0, 128, 255], [1, 2, 254]]).max() <= 1


def test_numbers_without_a_range_are_refused() -> None:
    for values in (np.float32([[0, 0.5]]), np.int32([[0, 10**6]])):
        assert "range is not known" in _reason(encoded(Image.fromarray(values), "TIFF"))


def test_cmyk_jpeg_has_its_colours() -> None:
    red = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    pixels = _pixels(encoded(red, "JPEG", quality=95))
    assert np.abs(pixels - [255, 0, 0]).max() <= 6


def test_animation_gives_its_first_frame() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    for kind, options in (("GIF", {}), ("PNG", {}), ("WEBP", {"lossless": True})):
        content = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        assert (_pixels(content) == [255, 0, 0]).all(), kind


def test_bilevel_picture_is_black_and_white() -> None:
    image = Image.fromarray(GRADIENT > 100)
    for kind in ("PNG", "TIFF", "BMP"):
        assert np.array_equal(_pixels(encoded(image, kind)), (GRADIENT > 100) * 255), kind


def _png(chunks: list[tuple[bytes, bytes]]) -> bytes:
    content = b"\x89PNG\r\n\x1a\n"
    for kind, data in chunks:
        content += struct.pack(">L", len(data)) + kind + data
        content += struct.pack(">L", zlib.crc32(kind + data))
    return content


def test_text_of_a_picture_is_no_part_of_it() -> None:
    information = PngImagePlugin.PngInfo()
    information.add_text("Comment", "x" * 1000, zip=True)
    assert np.array_equal(
        _pixels(encoded(Image.fromarray(GRADIENT), pnginfo=information)), GRADIENT
    )
