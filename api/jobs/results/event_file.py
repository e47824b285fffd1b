"""Event files of TensorBoard with scalars.

A file is a sequence of records: the length of a message and its checksum, the message and its
checksum. The messages are protobuf's encoding of `Event`, of which scalars need five fields.
"""

import math
import struct
from datetime import datetime
from functools import cache

FILE_VERSION = b"brain.Event:2"
#: Types of protobuf's fields.
VARINT, DOUBLE, BYTES, FLOAT = 0, 1, 2, 5
#: The polynomial of CRC-32C, its bits reversed.
POLYNOMIAL = 0x82F63B78
MASK = 0xA282EAD8


def header(at: datetime) -> bytes:
    """Return the record with which a file begins."""
    return _record(_wall_time(at) + _bytes(3, FILE_VERSION))


def scalar(tag: str, value: float, step: int, at: datetime) -> bytes:
    """Return the record of a value; what float32 does not hold becomes infinite."""
    try:
        single = struct.pack("<f", value)
    except OverflowError:
        single = struct.pack("<f", math.copysign(math.inf, value))
    summary = _bytes(1, _bytes(1, tag.encode()) + _key(2, FLOAT) + single)
    return _record(_wall_time(at) + _key(2, VARINT) + _varint(step) + _bytes(5, summary))


def _wall_time(at: datetime) -> bytes:
    return _key(1, DOUBLE) + struct.pack("<d", at.timestamp())


def _bytes(field: int, value: bytes) -> bytes:
    return _key(field, BYTES) + _varint(len(value)) + value


def _key(field: int, type_: int) -> bytes:
    return _varint(field << 3 | type_)


def _varint(value: int) -> bytes:
    """Return an integer in groups of seven bits, the lowest first; all but the last have a mark."""
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)


def _record(message: bytes) -> bytes:
    length = struct.pack("<Q", len(message))
    return length + _checksum(length) + message + _checksum(message)


def _checksum(data: bytes) -> bytes:
    """Return the CRC-32C, rotated and masked as in TensorFlow's records."""
    crc, table = 0xFFFFFFFF, _crc_table()
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    rotated = crc >> 15 | crc << 17
    return struct.pack("<I", (rotated + MASK) & 0xFFFFFFFF)


@cache
def _crc_table() -> tuple[int, ...]:
    table: list[int] = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (POLYNOMIAL if crc & 1 else 0)
        table.append(crc)
    return tuple(table)
