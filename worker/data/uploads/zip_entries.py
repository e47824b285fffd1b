"""The entries of a zip archive, read from its central directory and checked against the file.

Python's `zipfile` accepts what must be refused here: entries that share bytes, data before the
archive, names cut at a NUL. So the directory is read by its specification (PKWARE, APPNOTE.TXT
6.3.10, sections 4.3 and 4.5.3), within limits of memory, before anything is decompressed.
"""

import os
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from worker.data.uploads.entry_names import (
    UNICODE_PATH,
    collisions,
    decode,
    is_ignored,
    problem,
)
from worker.data.uploads.faults import Fault, UploadRejected, fault, shown
from worker.data.uploads.zip_end import Directory, find_directory

MAX_ENTRIES = 300_000
MAX_DIRECTORY_BYTES = 96 * 2**20
#: Faults that are listed; an archive of a million bad entries gives no longer answer.
MAX_FAULTS = 100
CENTRAL = struct.Struct("<4s4B4HL2L5H2L")
LOCAL = struct.Struct("<4s2B4HL2L2H")
STORED, DEFLATED = 0, 8
ENCRYPTED_FLAGS = 0x1 | 0x40 | 0x2000
ZIP64 = 0x0001
UNKNOWN_32, UNKNOWN_16 = 0xFFFFFFFF, 0xFFFF
#: No deflated stream expands further (a match of 258 bytes takes two bits).
MAX_EXPANSION = 1_032


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in the archive."""

    name: str
    #: Position of the compressed bytes in the archive.
    offset: int
    compressed_bytes: int
    bytes: int
    crc: int
    is_deflated: bool


@dataclass(frozen=True, slots=True)
class _Central:
    """An entry of the central directory."""

    entry: Entry
    raw_name: bytes
    flags: int
    method: int
    mode: int


class _Refused(Exception):
    """The entry is refused; the message states why."""


def read_entries(descriptor: int) -> list[Entry]:
    """Return the files of an archive, in the order of its directory, without ignored files.

    Raises:
        UploadRejected: the archive is damaged, or an entry is refused.
    """
    size = os.fstat(descriptor).st_size
    directory = find_directory(descriptor, size)
    if directory.entries > MAX_ENTRIES or directory.bytes > MAX_DIRECTORY_BYTES:
        raise UploadRejected(
            [
                fault(
                    "",
                    f"The archive has {directory.entries:,} entries; at most {MAX_ENTRIES:,} are "
                    "allowed. Upload an .npz or a parquet file instead.",
                )
            ]
        )
    content = os.pread(descriptor, directory.bytes, directory.offset)
    faults: list[Fault] = []
    entries: list[Entry] = []
    for name, central in _central_entries(content, directory, faults):
        try:
            entry = _checked(descriptor, name, central, directory.offset)
        except _Refused as error:
            faults.append(fault(name, str(error)))
        else:
            entries.append(entry)
        if len(faults) >= MAX_FAULTS:
            break
    faults += _overlaps(entries)
    files = [entry for entry in entries if not entry.name.endswith("/")]
    faults += collisions(entry.name for entry in files)
    if faults:
        raise UploadRejected(faults[:MAX_FAULTS])
    return [entry for entry in files if not is_ignored(entry.name)]


def _central_entries(
    content: bytes, directory: Directory, faults: list[Fault]
) -> Iterator[tuple[str, _Central]]:
    position = count = 0
    while position < len(content):
        if position + CENTRAL.size > len(content) or content[position : position + 4] != b"PK\1\2":
            break
        fields = CENTRAL.unpack_from(content, position)
        name_bytes, extra_bytes, comment_bytes = fields[12:15]
        start = position + CENTRAL.size
        end = start + name_bytes + extra_bytes + comment_bytes
        if end > len(content):
            break
        raw = content[start : start + name_bytes]
        extra = _extra_fields(content[start + name_bytes : start + name_bytes + extra_bytes])
        position, count = end, count + 1
        if count > MAX_ENTRIES:
            break
        try:
            name = decode(raw, fields[5], extra.get(UNICODE_PATH))
        except UnicodeDecodeError:
            shown_name = raw.decode("utf-8", "backslashreplace")
            faults.append(fault(shown_name, "has a name that is not UTF-8, as its flag says"))
            continue
        yield name, _central(name, raw, fields, extra)
    # Archive Utility of macOS counts modulo 65,536.
    if position != len(content) or (count - directory.entries) % 2**16:
        detail = f"The archive's directory is damaged: {count:,} of {directory.entries:,} entries"
        faults.append(fault("", f"{detail} can be read."))


def _central(name: str, raw: bytes, fields: tuple[int, ...], extra: dict[int, bytes]) -> _Central:
    flags, method, crc = fields[5], fields[6], fields[9]
    compressed, size, offset = fields[10], fields[11], fields[18]
    sixty_four = extra.get(ZIP64, b"")
    values = iter(
        struct.unpack(f"<{len(sixty_four) // 8}Q", sixty_four[: len(sixty_four) // 8 * 8])
    )
    size = next(values, -1) if size == UNKNOWN_32 else size
    compressed = next(values, -1) if compressed == UNKNOWN_32 else compressed
    offset = next(values, -1) if offset == UNKNOWN_32 else offset
    entry = Entry(name, offset, compressed, size, crc, method == DEFLATED)
    return _Central(entry, raw, flags, method, fields[17] >> 16)


def _extra_fields(content: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    position = 0
    while position + 4 <= len(content):
        kind, length = struct.unpack_from("<2H", content, position)
        found.setdefault(kind, content[position + 4 : position + 4 + length])
        position += 4 + length
    return found


def _checked(descriptor: int, name: str, central: _Central, end: int) -> Entry:
    """Return an entry whose offset is that of its data.

    Args:
        descriptor: of the archive.
        name: of the entry.
        central: the entry in the central directory.
        end: where the entries end and the directory begins.

    Raises:
        _Refused: the entry is refused.
    """
    entry = central.entry
    reason = problem(name) or _problem_of(central, end)
    if reason is None:
        header = os.pread(descriptor, LOCAL.size + len(central.raw_name), entry.offset)
        if len(header) < LOCAL.size or header[:4] != b"PK\3\4":
            raise _Refused("is not where the archive's directory says")
        local = LOCAL.unpack_from(header)
        name_bytes, extra_bytes = local[10], local[11]
        data = entry.offset + LOCAL.size + name_bytes + extra_bytes
        if header[LOCAL.size :][:name_bytes] != central.raw_name or local[4] != central.method:
            reason = "has another name or compression in its header than in the directory"
        elif data + entry.compressed_bytes > end:
            reason = "is longer than the archive"
        else:
            return Entry(
                name, data, entry.compressed_bytes, entry.bytes, entry.crc, entry.is_deflated
            )
    raise _Refused(reason)


def _problem_of(central: _Central, end: int) -> str | None:
    entry, kind = central.entry, stat.S_IFMT(central.mode)
    reason = None
    if central.flags & ENCRYPTED_FLAGS:
        reason = "is encrypted; pack it without a password"
    elif kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        reason = "is a link or a device; only files and folders are allowed"
    elif central.method not in {STORED, DEFLATED}:
        reason = f"is compressed by method {central.method}; use the ordinary one (deflate)"
    elif not 0 <= entry.offset < end or not 0 <= entry.compressed_bytes <= end:
        reason = "is not inside the archive"
    elif entry.bytes < 0 or (not entry.is_deflated and entry.bytes != entry.compressed_bytes):
        reason = "has a wrong size in the archive's directory"
    elif entry.bytes > entry.compressed_bytes * MAX_EXPANSION:
        reason = f"cannot have {entry.bytes:,} bytes: it takes {entry.compressed_bytes:,} packed"
    return reason


def _overlaps(entries: list[Entry]) -> Iterator[Fault]:
    """Yield a fault for every entry that shares bytes with the entry before it.

    Source of the attack: D. Fifield, A better zip bomb, 2019.
    """
    ordered = sorted(entries, key=lambda entry: (entry.offset, entry.compressed_bytes))
    reached, before = 0, ""
    for entry in ordered:
        if entry.offset < reached:
            yield fault(entry.name, f"overlaps `{shown(before)}` in the archive")
        if entry.offset + entry.compressed_bytes > reached:
            reached, before = entry.offset + entry.compressed_bytes, entry.name
