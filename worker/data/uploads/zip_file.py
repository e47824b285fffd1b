"""Reading the files of a zip archive into memory, never to the disk."""

import os
import zlib
from collections.abc import Iterator

from worker.data.uploads.faults import BadFile
from worker.data.uploads.zip_entries import Entry

CHUNK_BYTES = 2**20


def chunks(descriptor: int, entry: Entry) -> Iterator[bytes]:
    """Yield the content of an entry in parts of at most some megabytes; safe in threads.

    Raises:
        BadFile: the content has another length or checksum than the archive's directory says, or
            cannot be decompressed.
    """
    total = crc = 0
    try:
        for part in (
            _inflated(descriptor, entry) if entry.is_deflated else _stored(descriptor, entry)
        ):
            total += len(part)
            if total > entry.bytes:
                raise BadFile(f"has more than the {entry.bytes:,} bytes that its archive declares")
            crc = zlib.crc32(part, crc)
            yield part
    except zlib.error as error:
        raise BadFile("is damaged: it cannot be decompressed") from error
    if total < entry.bytes:
        raise BadFile(f"has {total:,} bytes; its archive declares {entry.bytes:,}")
    if crc != entry.crc:
        raise BadFile("is damaged: its checksum is wrong")


def read(descriptor: int, entry: Entry) -> bytes:
    """Return the whole content of an entry.

    Raises:
        BadFile: as for `chunks`.
    """
    return b"".join(chunks(descriptor, entry))


def _stored(descriptor: int, entry: Entry) -> Iterator[bytes]:
    position, end = entry.offset, entry.offset + entry.compressed_bytes
    while position < end:
        part = os.pread(descriptor, min(CHUNK_BYTES, end - position), position)
        if not part:
            return
        position += len(part)
        yield part


def _inflated(descriptor: int, entry: Entry) -> Iterator[bytes]:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    for packed in _stored(descriptor, entry):
        rest = packed
        while rest and not inflater.eof:
            yield inflater.decompress(rest, CHUNK_BYTES)
            rest = inflater.unconsumed_tail
        if inflater.eof:
            return
    while not inflater.eof:
        part = inflater.decompress(inflater.unconsumed_tail, CHUNK_BYTES)
        if not part:
            return
        yield part
