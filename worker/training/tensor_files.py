"""Safetensors files whose bytes depend on their content alone, and writing files to the disk."""

import errno
import hashlib
import json
import os
import re
import struct
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

#: The length of the JSON header in bytes; the first thing in a safetensors file.
HEADER_LENGTH = struct.Struct("<Q")


def save_tensors(
    tensors: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str] | None = None
) -> None:
    """Write tensors, which become contiguous: the format has a single memory layout.

    Raises:
        OSError: the file cannot be written.
    """
    contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
    try:
        save_file(contiguous, path, metadata=dict(metadata) if metadata else None)
        if metadata:
            _sort_metadata(path)
    except SafetensorError as error:
        code = re.search(r"os error (\d+)", str(error))  # the library has no other way to say it
        number = int(code[1]) if code else errno.EIO
        raise OSError(number, os.strerror(number), path.name) from error


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Wait until the disk holds a file, or the names in a directory."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sort_metadata(path: Path) -> None:
    """Sort the metadata in the header: the library writes them in a random order.

    Otherwise the same weights would have another digest each time.
    """
    with path.open("r+b") as file:
        (length,) = HEADER_LENGTH.unpack(file.read(HEADER_LENGTH.size))
        header = json.loads(file.read(length))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
        if len(text) > length:
            raise RuntimeError(
                f"The header of {path.name} takes {len(text)} bytes instead of {length}."
            )
        file.seek(HEADER_LENGTH.size)
        file.write(text.ljust(length))
