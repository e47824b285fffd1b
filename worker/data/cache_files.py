"""The files of a cache entry: images, labels and the index that describes them."""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from worker.data.dataset import Content, ContentHash

FORMAT = 1


class CacheBroken(Exception):
    """A cached file differs from what was written."""


@dataclass(frozen=True)
class CacheIndex:
    """The JSON file of an entry: names, sizes and digests of its images and labels.

    It is written last, so the files that it names are complete.
    """

    format: int
    content_hash: str
    images: str
    labels: str
    shape: tuple[int, ...]
    first_test: int | None
    images_bytes: int
    images_sha256: str
    images_changed_ns: int
    labels_sha256: str

    @classmethod
    def read(cls, path: Path) -> "CacheIndex":
        """Read an index.

        Raises:
            FileNotFoundError: the file does not exist.
            CacheBroken: the file is damaged or has another format.
        """
        try:
            fields = json.loads(path.read_bytes())
            index = cls(**{**fields, "shape": tuple(fields["shape"])})
        except (ValueError, TypeError, KeyError) as error:
            raise CacheBroken(f"the index cannot be read ({error})") from error
        if index.format != FORMAT:
            raise CacheBroken(f"the index has format {index.format}, this version reads {FORMAT}")
        return index

    def write(self, path: Path) -> None:
        """Write the index atomically."""
        write_atomically(path, json.dumps(asdict(self), indent=1).encode())


def write_images(path: Path, content: Content) -> tuple[str, str]:
    """Write the array file with ordinary writes and return the content hash and its sha256.

    A full disk raises an error here; with a memory-mapped file it would kill the process.

    Raises:
        ValueError: the content has another number of images or labels than its shape.
    """
    content_hash, file_hash = ContentHash(content), hashlib.sha256()
    count = 0
    with path.open("w+b") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": content.shape}
        np.lib.format.write_array_header_1_0(file, header)
        file.seek(0)
        file_hash.update(file.read())
        for block in content.blocks:
            written: npt.NDArray[np.uint8] = np.ascontiguousarray(block)
            file.write(written.data)
            file_hash.update(written.data)
            content_hash.update(written.data)
            count += len(block)
        file.flush()
        os.fsync(file.fileno())
    if count != content.shape[0] or count != len(content.labels):
        raise ValueError(
            f"The content has {count} images and {len(content.labels)} labels; its shape has "
            f"{content.shape[0]}."
        )
    return content_hash.finish(), file_hash.hexdigest()


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that it appears complete or not at all, also after a power failure."""
    temporary = path.with_name(f"{path.name}.tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
