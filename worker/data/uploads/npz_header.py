"""The headers of arrays in an .npz archive; a pickled array is never opened.

Source: NumPy, «The .npy format specification» (NEP 1).
"""

import io
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from worker.data.uploads import zip_file
from worker.data.uploads.faults import BadFile
from worker.data.uploads.zip_entries import Entry

MAX_HEADER_BYTES = 2**16


@dataclass(frozen=True)
class StoredArray:
    """An array in the archive."""

    entry: Entry
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    header_bytes: int

    @property
    def bytes(self) -> int:
        """The size of its values."""
        return self.entry.bytes - self.header_bytes


def open_array(descriptor: int, entry: Entry) -> StoredArray:
    """Return the shape and type of an array.

    Raises:
        BadFile: it is pickled, damaged, or in Fortran order.
    """
    head = b""
    for part in zip_file.chunks(descriptor, entry):
        head += part
        if len(head) >= MAX_HEADER_BYTES:
            break
    file = io.BytesIO(head)
    try:
        version = np.lib.format.read_magic(file)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, is_fortran, dtype = read(file)
    except (ValueError, KeyError, EOFError) as error:
        raise BadFile("is no array of numpy, or is damaged") from error
    if dtype.hasobject:
        raise BadFile("is pickled (dtype object), which could run code; save it as numbers")
    if is_fortran and len(shape) > 1:
        raise BadFile("is in Fortran order; save numpy.ascontiguousarray of it")
    array = StoredArray(entry, tuple(map(int, shape)), dtype, file.tell())
    expected = dtype.itemsize * math.prod(array.shape)
    if min(array.shape, default=0) < 0 or expected != array.bytes:
        raise BadFile(f"has {array.bytes:,} bytes of values; its shape {shape} needs {expected:,}")
    return array


def read_whole(descriptor: int, array: StoredArray) -> np.ndarray:
    """Return a small array.

    Raises:
        BadFile: it is damaged.
    """
    content = zip_file.read(descriptor, array.entry)
    if not array.bytes:
        return np.empty(array.shape, array.dtype)
    values = np.frombuffer(content, array.dtype, offset=array.header_bytes)
    return values.reshape(array.shape)


def rows(descriptor: int, array: StoredArray) -> Iterator[np.ndarray]:
    """Yield the elements along the first axis, one after the other.

    Raises:
        BadFile: it is damaged.
    """
    row_bytes = array.bytes // array.shape[0]
    skipped = array.header_bytes
    buffer = bytearray()
    for part in zip_file.chunks(descriptor, array.entry):
        buffer += part[skipped:]
        skipped -= min(skipped, len(part))
        count = len(buffer) // row_bytes
        if count:
            values = np.frombuffer(bytes(buffer[: count * row_bytes]), array.dtype)
            del buffer[: count * row_bytes]
            yield from values.reshape(count, *array.shape[1:])
