"""Archives made to harm their reader: refused with the file's name, and nothing is extracted."""

import io
import stat
import struct
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.worker.data.uploads.archives import (
    Raw,
    checked,
    png,
    raw_zip,
    refusal,
    two_classes,
    zipped,
)

GOOD = [Raw(name.encode(), content) for name, content in two_classes(2).items()]


def _refusal(path: Path, entries: list[Raw], **options: int) -> dict[str, str]:
    path = path / "a.zip"
    path.write_bytes(raw_zip([*GOOD, *entries], **options))
    return refusal(path, skip_bad=True)  # what could harm is never skipped


def test_archive_of_these_tests_is_accepted_without_them(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(raw_zip(GOOD))
    assert checked(path).images == 4


@pytest.mark.parametrize(
    ("name", "detail"),
    [
        ("../evil.png", "`..`"),
        ("cats/../../evil.png", "`..`"),
        ("cats\\..\\..\\evil.png", "`..`"),
        ("/etc/cats/evil.png", "absolute"),
        ("\\\\server\\cats\\evil.png", "absolute"),
        ("C:\\cats\\evil.png", "absolute"),
        ("c:evil.png", "absolute"),
        ("cats/\x1b[31mevil.png", "control character"),
        ("cats/e\nvil.png", "control character"),
        ("cats/evil.png\0.txt", "control character"),
        ("cats/\x85.png", "control character"),
        ("cats/" + "x" * 252 + ".png", "more than 255 bytes"),
        ("a/" * 1000 + "b.png", "1000 folders deep"),
        ("", "no name"),
    ],
)
def test_names_that_lead_out_or_deceive_are_refused(tmp_path: Path, name: str, detail: str) -> None:
    faults = _refusal(tmp_path, [Raw(name.encode(), png(), flags=1 << 11)])
    assert detail in "".join(faults.values())
    assert all(file.isprintable() for file in faults)
    assert not (tmp_path.parent / "evil.png").exists()


def test_name_that_is_not_utf8_as_its_flag_says_is_refused(tmp_path: Path) -> None:
    faults = _refusal(tmp_path, [Raw(b"cats/\xff.png", png(), flags=1 << 11)])
    assert "not UTF-8" in faults["cats/\\xff.png"]


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO])
def test_links_and_devices_are_refused(tmp_path: Path, kind: int) -> None:
    entries = [Raw(b"cats/x", b"/etc/passwd", mode=kind | 0o777), Raw(b"cats/x/y.png", png())]
    assert "link or a device" in _refusal(tmp_path, entries)["cats/x"]


def test_setuid_bits_have_no_effect(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(raw_zip([*GOOD, Raw(b"cats/s.png", png(9), mode=0o106755)]))
    assert checked(path).images == 5
    assert [found.name for found in tmp_path.iterdir()] == ["a.zip"]


@pytest.mark.parametrize("name", ["cats/0.png", "CATS/0.png", "cats/0.PNG"])
def test_names_that_are_there_twice_are_refused(tmp_path: Path, name: str) -> None:
    faults = _refusal(tmp_path, [Raw(name.encode(), png(5))])
    assert list(faults) == ["cats/0.png"]


def test_composed_and_decomposed_letters_are_the_same_name(tmp_path: Path) -> None:
    entries = [Raw("cats/é.png".encode(), png(1)), Raw("cats/e\u0301.png".encode(), png(2))]
    assert "twice" in _refusal(tmp_path, entries)["cats/é.png"]


def test_archive_in_an_archive_is_named(tmp_path: Path) -> None:
    files = two_classes(2) | {"cats/x.png": raw_zip(GOOD), "cats/y.png": b"\x80\x04K\x01."}
    faults = refusal(zipped(tmp_path / "a.zip", files))
    assert "is an archive, not a picture" in faults["cats/x.png"]
    assert "pickle" in faults["cats/y.png"]


def test_nested_archives_are_not_opened(tmp_path: Path) -> None:
    content = bytes(2**20)
    for level in range(3):
        files = {f"lib {level} {index}.zip": content for index in range(16)}
        content = zipped(tmp_path / "inner.zip", files).read_bytes()
    path = tmp_path / "42.zip"
    path.write_bytes(content)
    assert len(refusal(path, skip_bad=True)) == 17  # each of the 16, and that there is no class


def test_entries_that_share_their_bytes_are_refused(tmp_path: Path) -> None:
    kernel = Raw(b"cats/kernel.png", bytes(2**20), method=8)
    entries = [kernel]
    start = len(raw_zip(GOOD)) - 22 - sum(46 + len(entry.name) for entry in GOOD)
    for index in range(50):
        name = b"cats/%d.kernel" % index
        entries.append(
            Raw(name, bytes(2**20), method=8, offset=start)  # all point to the kernel
        )
    faults = _refusal(tmp_path, entries)
    assert len(faults) == 50
    same_name = [Raw(b"cats/kernel.png", bytes(2**20), method=8, offset=start) for _ in range(3)]
    faults = _refusal(tmp_path, [kernel, *same_name])
    assert "overlaps" in "".join(faults.values()) or "twice" in "".join(faults.values())


def test_entry_inside_another_is_refused(tmp_path: Path) -> None:
    inner = raw_zip([Raw(b"dogs/inner.png", png(8))])
    start = sum(30 + len(entry.name) + len(entry.content) for entry in GOOD)
    outer = Raw(b"cats/outer.bin", inner)
    at = start + 30 + len(outer.name)
    faults = _refusal(tmp_path, [outer, Raw(b"dogs/inner.png", png(8), offset=at)])
    assert "overlaps `cats/outer.bin`" in faults["dogs/inner.png"]


@pytest.mark.parametrize(
    ("entry", "detail"),
    [
        (Raw(b"cats/x", bytes(5000), method=8, size=100), "more than the 100 bytes"),
        (Raw(b"cats/x", bytes(5000), method=8, size=6000), "declares 6,000"),
        (Raw(b"cats/x", png(), crc=1), "checksum"),
    ],
    ids=["smaller", "larger", "checksum"],
)
def test_sizes_and_checksums_that_lie_are_noticed(tmp_path: Path, entry: Raw, detail: str) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(raw_zip([*GOOD, entry]))
    assert detail in refusal(path)["cats/x"]


@pytest.mark.parametrize(
    ("entry", "detail"),
    [
        (Raw(b"cats/x", bytes(5000), method=8, size=2**32 - 2), "cannot have"),
        (Raw(b"cats/x", b"12345", size=4), "wrong size"),
        (Raw(b"cats/x", b"12345", packed_size=2**31), "not inside"),
        (Raw(b"cats/x", b"12345", flags=1), "encrypted"),
        (Raw(b"cats/x", b"12345", flags=1 | 1 << 6), "encrypted"),
        (Raw(b"cats/x", b"12345", method=99), "method 99"),
        (Raw(b"cats/x", b"12345", method=14), "method 14"),
        (Raw(b"cats/x", b"12345", local_name=b"cats/y"), "another name"),
        (Raw(b"cats/x", b"12345", offset=2**32 - 3), "not inside"),
        (Raw(b"cats/x", b"12345", offset=1), "not where"),
        (
            Raw(
                b"cats/x",
                b"12345",
                method=8,
                size=2**32 - 1,
                packed_size=2**32 - 1,
                extra=struct.pack("<2H2Q", 1, 16, 2**64 - 1, 2**64 - 1),
            ),
            "not inside",
        ),
        (Raw(b"cats/x", b"12345", size=2**32 - 1, packed_size=2**32 - 1), "not inside"),
    ],
)
def test_entries_with_impossible_fields_are_refused(
    tmp_path: Path, entry: Raw, detail: str
) -> None:
    assert detail in _refusal(tmp_path, [entry])["cats/x"]


def test_truncated_archive_is_refused(tmp_path: Path) -> None:
    whole = raw_zip(GOOD)
    path = tmp_path / "a.zip"
    for length in [0, 1, 4, 30, len(whole) // 2, len(whole) - 30, len(whole) - 1]:
        path.write_bytes(whole[:length])
        assert set(refusal(path)) == {""}


@pytest.mark.parametrize(
    "content",
    [
        b"%PDF-1.7 garbage" + raw_zip(GOOD),
        raw_zip(GOOD) + b"more",
        raw_zip(GOOD)[:-22] + b"hidden" + raw_zip(GOOD)[-22:],
        raw_zip(GOOD, count=7),
    ],
    ids=["before", "after", "inside", "count"],
)
def test_archive_that_is_not_alone_in_its_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    assert set(refusal(path)) == {""}


def test_tar_that_is_named_zip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with tarfile.open(path, "w") as archive:
        member = tarfile.TarInfo("cats/1.png")
        member.size = 4
        archive.addfile(member, io.BytesIO(b"1234"))
    assert "tar archive" in refusal(path)[""]


def test_million_empty_files_are_refused_without_reading_their_names(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    entry = struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0)
    directory = b"".join(entry + b"%08d" % index for index in range(10**6))
    end = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 10**6, 10**6, len(directory), 4)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, 4 + len(directory), 1)
    last = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 65535, 65535, 2**32 - 1, 2**32 - 1, 0)
    path.write_bytes(b"PK\3\4" + directory + end + locator + last)
    del directory
    tracemalloc.start()
    assert "1,000,000 entries" in refusal(path)[""]
    assert tracemalloc.get_traced_memory()[1] < 10 * 2**20
    # the same, with a number of entries that lies
    content = bytearray(path.read_bytes())
    content[-66:-50] = struct.pack("<2Q", 5, 5)
    path.write_bytes(content[: len(content)])
    tracemalloc.stop()
    assert set(refusal(path)) == {""}


def test_pickled_array_is_never_opened(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "executed",))  # type: ignore[return-value]

    path = tmp_path / "a.npz"
    np.savez(path, images=np.zeros((2, 8, 8), np.uint8), labels=np.array([Evil(), Evil()]))
    assert "pickled" in refusal(path)["labels.npy"]
    assert not (tmp_path / "executed").exists()


def test_nothing_is_written(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", two_classes())
    before = sorted(tmp_path.rglob("*"))
    checked(path)
    assert sorted(tmp_path.rglob("*")) == before


def test_archives_with_random_damage_are_read_or_refused(tmp_path: Path) -> None:
    whole = bytearray(zipped(tmp_path / "a.zip", two_classes(3)).read_bytes())
    random = np.random.default_rng(0)
    path = tmp_path / "b.zip"
    refused = 0
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(3):
            damaged[random.integers(len(damaged))] = random.integers(256)
        path.write_bytes(damaged)
        try:
            checked(path, skip_bad=True)
        except Exception as error:  # noqa: BLE001
            assert type(error).__name__ == "UploadRejected", error  # noqa: PT017
            refused += 1
    assert refused > 50


def test_python_reads_the_same_files(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", two_classes(3))
    with zipfile.ZipFile(path) as archive:
        assert checked(path).images == len(archive.namelist())
