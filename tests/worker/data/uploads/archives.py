"""Pictures and archives for tests, among them archives that no ordinary tool writes."""

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from worker.data.uploads import Report, UploadRejected, check, open_upload


def noise(seed: int, *, size: tuple[int, int] = (12, 10), channels: int = 3) -> Image.Image:
    """Return a picture of large random patches; different seeds do not look alike."""
    shape = (4, 4) if channels == 1 else (4, 4, channels)
    patches = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    return Image.fromarray(patches).resize(size, Image.Resampling.BICUBIC)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png(seed: int = 0, *, size: tuple[int, int] = (12, 10), channels: int = 3) -> bytes:
    return encoded(noise(seed, size=size, channels=channels))


def two_classes(each: int = 20) -> dict[str, bytes]:
    return {
        f"{name}/{index}.png": png(1000 * label + index)
        for label, name in enumerate(("cats", "dogs"))
        for index in range(each)
    }


def zipped(path: Path, files: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


@dataclass
class Raw:
    """An entry of an archive, field by field; None takes the right value."""

    name: bytes
    content: bytes = b""
    flags: int = 0
    method: int = 0
    mode: int = 0o100644
    size: int | None = None
    packed_size: int | None = None
    crc: int | None = None
    offset: int | None = None
    extra: bytes = b""
    local_name: bytes | None = None


def raw_zip(entries: list[Raw], *, count: int | None = None) -> bytes:
    """Return an archive with exactly these entries."""
    body, directory = bytearray(), bytearray()
    for entry in entries:
        packed = entry.content
        if entry.method == 8:
            packer = zlib.compressobj(wbits=-15)
            packed = packer.compress(entry.content) + packer.flush()
        size = len(entry.content) if entry.size is None else entry.size
        packed_size = len(packed) if entry.packed_size is None else entry.packed_size
        crc = zlib.crc32(entry.content) if entry.crc is None else entry.crc
        offset = len(body) if entry.offset is None else entry.offset
        name = entry.name if entry.local_name is None else entry.local_name
        common = (entry.flags, entry.method, 0, 0, crc, packed_size, size)
        if entry.offset is None:
            body += struct.pack("<4s5H3L2H", b"PK\3\4", 20, *common, len(name), 0) + name + packed
        directory += struct.pack(
            "<4s6H3L5H2L", b"PK\1\2", 0x0314, 20, *common, len(entry.name), len(entry.extra),
            0, 0, 0, entry.mode << 16, offset,
        )  # fmt: skip
        directory += entry.name + entry.extra
    number = len(entries) if count is None else count
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, number, number, len(directory), len(body), 0)
    return bytes(body + directory + end)


def checked(path: Path, *, skip_bad: bool = False) -> Report:
    upload = open_upload(path)
    try:
        return check(upload, skip_bad=skip_bad, progress=lambda _: None)
    finally:
        upload.close()


def refusal(path: Path, *, skip_bad: bool = False) -> dict[str, str]:
    """Return the faults of an upload, which must be rejected: file → detail."""
    try:
        checked(path, skip_bad=skip_bad)
    except UploadRejected as error:
        return {fault["file"]: fault["detail"] for fault in error.faults}
    raise AssertionError("The upload is accepted")
