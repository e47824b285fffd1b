"""The end of a zip archive: where its central directory is (APPNOTE.TXT, 4.3.14 to 4.3.16)."""

import os
import struct
from dataclasses import dataclass

from worker.data.uploads.faults import UploadRejected, fault

END = struct.Struct("<4s4H2LH")
LOCATOR = struct.Struct("<4sLQL")
END_64 = struct.Struct("<4sQ2H2L4Q")
MAX_COMMENT_BYTES = 2**16 - 1
UNKNOWN_32, UNKNOWN_16 = 0xFFFFFFFF, 0xFFFF
AGAIN = "Pack the folder again."


@dataclass(frozen=True)
class Directory:
    """The central directory of an archive."""

    offset: int
    bytes: int
    entries: int


def find_directory(descriptor: int, size: int) -> Directory:
    """Return where the central directory is.

    Raises:
        UploadRejected: the archive is truncated, in several parts, or not alone in its file.
    """
    start = max(0, size - END.size - MAX_COMMENT_BYTES)
    tail = os.pread(descriptor, size - start, start)
    found = tail.rfind(b"PK\5\6")
    while found >= 0 and not _ends_the_file(tail, found):
        found = tail.rfind(b"PK\5\6", 0, found)
    if found < 0:
        raise _rejected("The archive is truncated, or followed by other data")
    position = start + found
    _, disk, first_disk, here, entries, length, offset, _ = END.unpack_from(tail, found)
    if disk not in {0, UNKNOWN_16} or first_disk not in {0, UNKNOWN_16}:
        raise _rejected("The archive is in several parts")
    if here != entries:
        raise _rejected("The archive's directory is damaged")
    directory, end = Directory(offset, length, entries), position
    locator = os.pread(descriptor, LOCATOR.size, max(0, position - LOCATOR.size))
    if locator[:4] == b"PK\6\7":
        directory, end = _large(descriptor, locator, position)
    elif UNKNOWN_32 in {length, offset}:
        raise _rejected("The archive's directory is damaged")
    if directory.offset + directory.bytes != end:
        raise _rejected("The archive is not alone in its file: data stands before or inside it")
    if os.pread(descriptor, 4, 0) not in {b"PK\3\4", b"PK\5\6"}:
        raise _rejected("The archive is not alone in its file: data stands before it")
    return directory


def _ends_the_file(tail: bytes, found: int) -> bool:
    if found + END.size > len(tail):
        return False
    return found + END.size + END.unpack_from(tail, found)[7] == len(tail)


def _large(descriptor: int, locator: bytes, position: int) -> tuple[Directory, int]:
    """Return the directory of an archive in the format zip64, and where its end record starts."""
    _, disk, end, disks = LOCATOR.unpack(locator)
    if disk or disks > 1 or end > position - LOCATOR.size - END_64.size:
        raise _rejected("The archive's directory is damaged")
    fields = END_64.unpack(os.pread(descriptor, END_64.size, end))
    if fields[0] != b"PK\6\6" or fields[4] or fields[5]:
        raise _rejected("The archive's directory is damaged")
    entries, length, offset = fields[7:10]
    return Directory(offset, length, entries), end


def _rejected(what: str) -> UploadRejected:
    return UploadRejected([fault("", f"{what}. {AGAIN}")])
