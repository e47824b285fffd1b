"""Pictures made to harm their reader, and files that only pretend to be pictures."""

import pickle
import struct
import subprocess
import sys
import time
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.worker.data.uploads.archives import encoded, noise, png, refusal, two_classes, zipped
from worker.data.uploads import BadFile, open_picture

ROOT = Path(__file__).parents[2]
HEADER = struct.pack(">2L5B", 65_535, 65_535, 8, 2, 0, 0, 0)


def _reason(content: bytes) -> str:
    with pytest.raises(BadFile) as caught, open_picture(content):
        pass
    return str(caught.value)


def _png(*chunks: tuple[bytes, bytes]) -> bytes:
    content = b"\x89PNG\r\n\x1a\n"
    for kind, data in chunks:
        content += struct.pack(">L", len(data)) + kind + data
        content += struct.pack(">L", zlib.crc32(kind + data))
    return content


def _with_size(content: bytes, kind: str, side: int) -> bytes:
    """Return a small file whose header claims to be a large picture."""
    changed = bytearray(content)
    if kind == "BMP":
        changed[18:26] = struct.pack("<2l", side, side)
    elif kind == "GIF":
        changed[6:10] = struct.pack("<2H", side, side)
    elif kind == "JPEG":
        start = content.index(b"\xff\xc0") + 5
        changed[start : start + 4] = struct.pack(">2H", side, side)
    elif kind == "TIFF":
        for tag in (256, 257):
            entry = content.index(struct.pack("<2HL", tag, 4, 1))
            changed[entry + 8 : entry + 12] = struct.pack("<L", side)
    return bytes(changed)


def test_header_of_65535_by_65535_pixels_is_refused_before_decoding() -> None:
    tracemalloc.start()
    contents = [_png((b"IHDR", HEADER), (b"IDAT", zlib.compress(bytes(10**6))), (b"IEND", b""))]
    kinds = ("BMP", "GIF", "JPEG", "TIFF")
    contents += [_with_size(encoded(noise(0), kind), kind, 65_500) for kind in kinds]
    for content in contents:
        assert "pixels" in _reason(content)
    assert tracemalloc.get_traced_memory()[1] < 20 * 2**20
    tracemalloc.stop()


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_picture_above_the_limit_is_refused_with_its_size() -> None:
    content = _with_size(encoded(noise(0), "BMP"), "BMP", 10_000)
    assert _reason(content) == "has 10,000 × 10,000 pixels; at most 50 million are allowed"


def test_animation_of_100000_frames_costs_its_first_frame_only() -> None:
    first = png(3)
    start = first.index(b"IDAT") - 4
    control = struct.pack(">2L", 100_000, 0)
    frame = struct.pack(">5L2H2B", 1, 12, 10, 0, 0, 1, 10, 0, 0)
    frames = b"".join(
        _png((b"fcTL", frame), (b"fdAT", struct.pack(">L", index) + b"x" * 50))[8:]
        for index in range(100_000)
    )
    content = first[:start] + _png((b"acTL", control))[8:] + first[start:-12] + frames + first[-12:]
    started = time.process_time()
    with open_picture(content) as image:
        assert np.array_equal(np.asarray(image), np.asarray(noise(3)))
    plain = time.process_time()
    for _ in range(500):
        with open_picture(first):
            pass
    assert plain - started < time.process_time() - plain


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", b"iCCP"])
def test_compressed_text_that_expands_without_end_is_refused(kind: bytes) -> None:
    packed = zlib.compress(bytes(200 * 2**20))
    data = {
        b"zTXt": b"Comment\0\0" + packed,
        b"iTXt": b"Comment\0\1\0\0\0" + packed,
        b"iCCP": b"Profile\0\0" + packed,
    }[kind]
    first = png(3)
    content = first[:33] + _png((kind, data))[8:] + first[33:]
    tracemalloc.start()
    try:
        with open_picture(content) as image:  # a profile may be left out instead
            assert image.size == (12, 10)
    except BadFile as error:
        assert "damaged" in str(error)  # noqa: PT017
    assert tracemalloc.get_traced_memory()[1] < 20 * 2**20
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "is empty"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b'\xef\xbb\xbf<?xml version="1.0"?><svg/>', "SVG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "PostScript"),
        (b"%PDF-1.7\n", "PDF"),
        (b"SIMPLE  =                    T" + b" " * 2850, "FITS"),
        (pickle.dumps(["a"]), "pickle"),
        (b"\0\0\0\x1cftypheic" + bytes(40), "HEIC"),
        (b"II*\0" + bytes(60), "not a picture"),
        (b"hello", "not a picture"),
        (b"P6 2 2 255 " + bytes(12), "not a picture"),
    ],
)
def test_other_files_are_refused_with_what_they_are(content: bytes, what: str) -> None:
    assert what in _reason(content)


@pytest.mark.parametrize("kind", ["PPM", "ICO", "PCX", "TGA", "SGI", "JPEG2000", "AVIF", "DDS"])
def test_other_formats_of_pillow_are_refused(kind: str) -> None:
    assert "TIFF are read" in _reason(encoded(noise(1), kind))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"])
def test_truncated_and_damaged_pictures_are_refused_or_decoded(kind: str) -> None:
    whole = encoded(noise(1, size=(60, 50)), kind)
    for length in (8, len(whole) // 3, len(whole) // 2):
        assert _reason(whole[:length])
    random = np.random.default_rng(0)
    for _ in range(200):
        damaged = bytearray(whole)
        for _ in range(4):
            damaged[random.integers(len(damaged))] = random.integers(256)
        try:
            with open_picture(bytes(damaged)) as image:
                assert image.mode in {"L", "RGB"}
        except BadFile as error:
            assert str(error)  # noqa: PT017


def test_bad_pictures_are_named_together(tmp_path: Path) -> None:
    files = two_classes(2) | {
        "cats/drawing.jpg": b"<svg/>",
        "cats/huge.png": _png((b"IHDR", HEADER), (b"IDAT", b"")),
        "dogs/nothing.png": b"",
        "dogs/half.png": png(4)[:150],
    }
    faults = refusal(zipped(tmp_path / "a.zip", files))
    assert set(faults) == set(files) - set(two_classes(2))


def test_largest_pictures_stay_below_a_gigabyte(tmp_path: Path) -> None:
    """Take the pictures that decode into the most memory, several at a time.

    The peak is read from /proc: `ru_maxrss` counts the process that forked as well.
    """
    transparent = encoded(Image.new("RGBA", (7_000, 7_000), (9, 8, 7, 128)), compress_level=1)
    progressive = encoded(Image.new("CMYK", (7_000, 7_000)), "JPEG", progressive=True, quality=20)
    wide = encoded(Image.new("I;16", (7_000, 7_000), 700), compress_level=1)
    webp = encoded(Image.new("RGBA", (5_400, 5_400), (1, 2, 3, 4)), "WEBP", lossless=True, method=0)
    files = {
        f"{name}/{kind}.png": content
        for name in "ab"
        for kind, content in zip("tpxw", (transparent, progressive, wide, webp), strict=True)
    }
    path = zipped(tmp_path / "a.zip", files)
    code = f"""
import os, pathlib
os.sched_getaffinity = lambda _: range(8)
from worker.data.uploads import check, open_upload
upload = open_upload(pathlib.Path({str(path)!r}))
assert check(upload, skip_bad=False, progress=lambda _: None).images == 8
status = pathlib.Path("/proc/self/status").read_text()
print(status.split("VmHWM:")[1].split()[0])
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert int(ended.stdout) * 1024 < 10**9
