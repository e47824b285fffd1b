"""File names as the tools of each system write them into an archive."""

import io
import struct
import unicodedata
import zipfile
import zlib
from pathlib import Path

import pytest

from tests.worker.data.uploads.archives import Raw, checked, png, raw_zip, two_classes

UTF8 = 1 << 11
NAMES = ("été", "кошки", "猫", "🐈")


def _class_names(path: Path, content: bytes) -> list[str]:
    path = path / "a.zip"
    path.write_bytes(content)
    return [found.name for found in checked(path).classes]


@pytest.mark.parametrize("name", NAMES)
def test_python_writes_utf8_with_its_flag(tmp_path: Path, name: str) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{name}/1.png", png(1))
        archive.writestr("aaa/1.png", png(2))
    assert _class_names(tmp_path, file.getvalue()) == ["aaa", name]


@pytest.mark.parametrize("name", NAMES)
def test_macos_writes_decomposed_utf8_without_the_flag(tmp_path: Path, name: str) -> None:
    written = unicodedata.normalize("NFD", name).encode()
    entries = [
        Raw(b"Set/", mode=0o40755),
        Raw(b"Set/" + written + b"/1.png", png(1)),
        Raw(b"__MACOSX/Set/" + written + b"/._1.png", b"resource fork"),
        Raw(b"Set/.DS_Store", b"\0\0\0\1Bud1"),
        Raw(b"Set/aaa/1.png", png(2)),
    ]
    assert _class_names(tmp_path, raw_zip(entries)) == ["aaa", unicodedata.normalize("NFC", name)]


def test_windows_writes_code_page_437_and_backslashes(tmp_path: Path) -> None:
    entries = [
        Raw("Bilder\\Käfer\\1.png".encode("cp437"), png(1), mode=0),
        Raw("Bilder\\Vögel\\1.png".encode("cp437"), png(2), mode=0),
        Raw(b"Bilder\\Thumbs.db", b"\xd0\xcf\x11\xe0", mode=0),
    ]
    assert _class_names(tmp_path, raw_zip(entries)) == ["Käfer", "Vögel"]


def test_info_zip_writes_the_name_again_in_unicode(tmp_path: Path) -> None:
    raw, name = b"?/1.png", "猫/1.png".encode()
    field = struct.pack("<BL", 1, zlib.crc32(raw)) + name
    extra = struct.pack("<2H", 0x7075, len(field)) + field
    assert _class_names(
        tmp_path, raw_zip([Raw(raw, png(1), extra=extra), Raw(b"a/1.png", png(2))])
    ) == ["a", "猫"]
    stale = struct.pack("<2H", 0x7075, len(field)) + b"\1\0\0\0\0" + name  # of another name
    assert _class_names(
        tmp_path, raw_zip([Raw(raw, png(1), extra=stale), Raw(b"a/1.png", png(2))])
    ) == ["?", "a"]


def test_streamed_archive_has_its_sizes_after_the_data(tmp_path: Path) -> None:
    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.content = bytearray()

        def writable(self) -> bool:
            return True

        def write(self, part: bytes) -> int:  # type: ignore[override]
            self.content += part
            return len(part)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[arg-type]
        for name, content in two_classes(2).items():
            archive.writestr(name, content)
    assert b"PK\7\x08" in pipe.content
    assert _class_names(tmp_path, bytes(pipe.content)) == ["cats", "dogs"]


def test_archive_in_the_format_zip64(tmp_path: Path) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in two_classes(2).items():
            with archive.open(name, "w", force_zip64=True) as entry:
                entry.write(content)
    assert _class_names(tmp_path, file.getvalue()) == ["cats", "dogs"]


def test_more_than_65535_entries_need_the_format_zip64(tmp_path: Path) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in two_classes(2).items():
            archive.writestr(name, content)
        for index in range(66_000):
            archive.writestr(f".cache/{index}", b"")
    assert b"PK\6\6" in file.getvalue()
    assert _class_names(tmp_path, file.getvalue()) == ["cats", "dogs"]


def test_archive_utility_counts_modulo_65536(tmp_path: Path) -> None:
    entries = [Raw(name.encode(), content) for name, content in two_classes(2).items()]
    entries += [Raw(b".cache/%d" % index) for index in range(66_000)]
    content = raw_zip(entries, count=len(entries) % 2**16)
    assert _class_names(tmp_path, content) == ["cats", "dogs"]
