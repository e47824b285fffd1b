"""Files made to harm their reader, each with the fault that rejects it."""

import io
import stat
import struct
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from tests.worker.data.uploads.archives import Raw, encoded, png, raw_zip, two_classes

GOOD = [Raw(name.encode(), content) for name, content in two_classes(3).items()]
UTF8 = 1 << 11


@dataclass(frozen=True)
class Hostile:
    """A file to upload, the file inside that is named, and a part of the reason."""

    content: bytes
    file: str
    detail: str


def chunk(kind: bytes, data: bytes) -> bytes:
    """Return a chunk of a PNG."""
    return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data))


def huge_png() -> bytes:
    """Return a small file that claims to have 65,535 × 65,535 pixels."""
    header = struct.pack(">2L5B", 65_535, 65_535, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(10**6))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


def text_bomb() -> bytes:
    """Return a PNG with 200 MiB of compressed text."""
    first = png(3)
    packed = b"Comment\0\0" + zlib.compress(bytes(200 * 2**20), 9)
    return first[:33] + chunk(b"zTXt", packed) + first[33:]


def million_files() -> bytes:
    """Return an archive with a million empty files in its directory."""
    entry = struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0)
    directory = b"".join(entry + b"%08d" % index for index in range(10**6))
    end = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 10**6, 10**6, len(directory), 4)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, 4 + len(directory), 1)
    last = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 65535, 65535, 2**32 - 1, 2**32 - 1, 0)
    return b"PK\3\4" + directory + end + locator + last


def overlapping() -> bytes:
    """Return an archive whose entries all have the bytes of one: a bomb without nesting."""
    kernel = Raw(b"cats/kernel.png", bytes(2**24), method=8)
    start = len(raw_zip(GOOD)) - 22 - sum(46 + len(entry.name) for entry in GOOD)
    same = [Raw(b"cats/%d" % n, bytes(2**24), method=8, offset=start) for n in range(40)]
    return raw_zip([*GOOD, kernel, *same])


def tar() -> bytes:
    """Return a tar archive."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        member = tarfile.TarInfo("../evil.png")
        member.size = 4
        archive.addfile(member, io.BytesIO(b"1234"))
    return file.getvalue()


def pickled(marker: Path) -> bytes:
    """Return an .npz whose labels run code when they are unpickled."""

    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (str(marker),))

    file = io.BytesIO()
    np.savez(file, images=np.zeros((2, 8, 8), np.uint8), labels=np.array([Evil(), Evil()]))
    return file.getvalue()


def arrays(**values: np.ndarray) -> bytes:
    """Return an .npz."""
    file = io.BytesIO()
    np.savez(file, allow_pickle=True, **values)
    return file.getvalue()


def _with(*entries: Raw) -> bytes:
    return raw_zip([*GOOD, *entries])


def hostile_files(marker: Path) -> Iterator[tuple[str, Hostile]]:
    """Yield the files by name; `marker` is a file that some try to make."""
    evil = png()
    truncated = encoded(Image.new("RGB", (64, 64), (9, 80, 7)), "JPEG")[:300]
    names = {
        "traversal": (b"../evil.png", 0, "../evil.png", "`..`"),
        "deep traversal": (b"cats/../../evil.png", 0, "cats/../../evil.png", "`..`"),
        "backslashes": (b"cats\\..\\..\\evil.png", 0, "", "`..`"),
        "absolute": (b"/tmp/evil.png", 0, "/tmp/evil.png", "absolute"),  # noqa: S108
        "drive": (b"C:\\cats\\evil.png", 0, "", "absolute"),
        "control character": (b"cats/\x1b[31m.png", 0, "cats/\\x1b[31m.png", "control character"),
        "undecodable": (b"cats/\xff.png", UTF8, "cats/\\xff.png", "not UTF-8"),
        "long name": (b"cats/" + b"x" * 256, 0, "", "255 bytes"),
        "thousand folders": (b"a/" * 1000 + b"b.png", 0, "", "folders deep"),
        "case collision": (b"CATS/0.png", 0, "cats/0.png", "case"),
        "twice": (b"cats/0.png", 0, "cats/0.png", "twice"),
    }
    for what, (name, flags, file, detail) in names.items():
        yield what, Hostile(_with(Raw(name, evil, flags=flags)), file, detail)
    link = Raw(b"cats/x", b"/etc/passwd", mode=stat.S_IFLNK | 0o777)
    yield "link", Hostile(_with(link, Raw(b"cats/x/y.png", evil)), "cats/x", "link or a device")
    device = Raw(b"cats/x", b"", mode=stat.S_IFCHR | 0o666)
    yield "device", Hostile(_with(device), "cats/x", "link or a device")
    encrypted = Raw(b"cats/x", evil, flags=1)
    yield "encrypted", Hostile(_with(encrypted), "cats/x", "encrypted")
    yield "overlapping bomb", Hostile(overlapping(), "cats/0", "another name")
    lying = Raw(b"cats/x", bytes(2**24), method=8, size=100)
    yield "lying size", Hostile(_with(lying), "cats/x", "more than the 100 bytes")
    maximum = struct.pack("<2H2Q", 1, 16, 2**64 - 1, 2**64 - 1)
    zip64 = Raw(b"cats/x", b"1", method=8, size=2**32 - 1, packed_size=2**32 - 1, extra=maximum)
    yield "zip64 sizes", Hostile(_with(zip64), "cats/x", "not inside")
    yield "checksum", Hostile(_with(Raw(b"cats/x", evil, crc=1)), "cats/x", "checksum")
    yield "million files", Hostile(million_files(), "", "1,000,000 entries")
    whole = raw_zip(GOOD)
    yield "truncated", Hostile(whole[: len(whole) // 2], "", "")
    yield "polyglot", Hostile(b"%PDF-1.7 garbage" + whole, "", "")
    yield "tar", Hostile(tar(), "", "tar archive")
    pictures = {
        "pixels": (huge_png(), "pixels"),
        "zTXt bomb": (text_bomb(), "damaged"),
        "SVG": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        "EPS": (b"%!PS-Adobe-3.0 EPSF-3.0\n", "PostScript"),
        "nested archive": (whole, "is an archive, not a picture"),
        "pickle": (b"\x80\x04K\x01.", "pickle"),
        "empty picture": (b"", "empty"),
        "truncated JPEG": (truncated, "damaged"),
    }
    for what, (content, detail) in pictures.items():
        yield what, Hostile(_with(Raw(b"cats/x.jpg", content)), "cats/x.jpg", detail)
    one_class = raw_zip([entry for entry in GOOD if entry.name.startswith(b"cats/")])
    yield "one class", Hostile(one_class, "", "one class, `cats`")
    yield "no class", Hostile(raw_zip([Raw(b"1.png", evil)]), "1.png", "no class folder")
    yield "pickled labels", Hostile(pickled(marker), "labels.npy", "pickled")
    images = np.zeros((4, 8, 8), np.uint8)
    outside = arrays(images=images, labels=np.arange(4), class_names=np.array(["a", "b"]))
    yield "labels out of range", Hostile(outside, "", "")
    wide = b",".join(b"c%d" % n for n in range(10**6)) + b"\n" + b"1\n" * 3
    yield "million columns", Hostile(wide, "", "1,000,000 columns")
    yield "nothing", Hostile(b"\0" * 1000, "", "none of the formats")
