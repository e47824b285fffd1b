"""The cache of decoded images: array files, written once and then mapped into memory.

An entry is opened by its key. Opening checks the sizes, the header of the array and the time of
the last change; it hashes the images only if that time differs.
"""

import errno
import hashlib
import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from worker.data.cache_files import (
    FORMAT,
    CacheBroken,
    CacheIndex,
    write_atomically,
    write_images,
)
from worker.data.dataset import Bytes, Content, Integers
from worker.data.locking import exclusive

SPARE_BYTES = 64 * 2**20  # left free on the disk, which the database may share

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cached:
    """An open entry: images mapped from the file, labels in memory."""

    images: Bytes
    labels: Integers
    first_test: int | None
    content_hash: str


class Cache:
    """The cached arrays of a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def get(self, key: str, make: Callable[[], Content], *, name: str) -> Cached:
        """Open an entry; make it first if it is missing or broken.

        Args:
            key: file name of the entry, without a suffix.
            make: returns the content; only one process at a time calls it, under a lock.
            name: name of the data set, for the file names.

        Raises:
            OSError: the disk is full (ENOSPC); checked before anything is written.
        """
        try:
            return self._open(key)
        except (FileNotFoundError, CacheBroken):
            pass  # checked again under the lock: another process may be making the entry
        with exclusive(self.directory / f"{key}.lock"):
            try:
                self._accept_changed_time(key)
                return self._open(key)
            except FileNotFoundError:
                pass
            except CacheBroken as fault:
                log.warning("cache entry %s is made again: %s", key, fault)
            self._write(key, make(), name)
            return self._open(key)

    def _index(self, key: str) -> Path:
        return self.directory / f"{key}.json"

    def _open(self, key: str) -> Cached:
        index = CacheIndex.read(self._index(key))
        status = (self.directory / index.images).stat()
        if status.st_size != index.images_bytes:
            raise CacheBroken(f"the images take {status.st_size} bytes, not {index.images_bytes}")
        if status.st_mtime_ns != index.images_changed_ns:
            raise CacheBroken("the images were changed")
        try:
            images_NCHW = np.load(self.directory / index.images, mmap_mode="r")
            content = (self.directory / index.labels).read_bytes()
        except (ValueError, EOFError) as error:
            raise CacheBroken(f"the images cannot be read ({error})") from error
        if images_NCHW.dtype != np.uint8 or images_NCHW.shape != index.shape:
            raise CacheBroken(f"the images have the shape {images_NCHW.shape}")
        if hashlib.sha256(content).hexdigest() != index.labels_sha256:
            raise CacheBroken("the labels were changed")
        labels_N = np.frombuffer(content, "<i8").astype(np.int64)
        return Cached(images_NCHW, labels_N, index.first_test, index.content_hash)

    def _accept_changed_time(self, key: str) -> None:
        """Update the recorded time of change if the digest is unchanged, as in a copied cache."""
        index = CacheIndex.read(self._index(key))
        path = self.directory / index.images
        changed_ns = path.stat().st_mtime_ns
        if changed_ns == index.images_changed_ns:
            return
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != index.images_sha256:
            raise CacheBroken("the images have another digest than when they were written")
        replace(index, images_changed_ns=changed_ns).write(self._index(key))

    def _write(self, key: str, content: Content, name: str) -> None:
        self._check_free_space(key, content)
        temporary = self.directory / f"{key}.images.tmp"  # safe: we hold the key's lock
        try:
            computed, images_sha256 = write_images(temporary, content)
            content_hash = content.content_hash or computed
            _, channels, height, _ = content.shape
            digest = content_hash.removeprefix("sha256:")[:12]
            stem = f"{name}-{digest}-{height}x{channels}"
            images = self.directory / f"{stem}.npy"
            status = temporary.stat()
            temporary.replace(images)
        finally:
            temporary.unlink(missing_ok=True)
        labels = content.labels.astype("<i8").tobytes()
        write_atomically(self.directory / f"{stem}.labels", labels)
        index = CacheIndex(
            format=FORMAT,
            content_hash=content_hash,
            images=images.name,
            labels=f"{stem}.labels",
            shape=content.shape,
            first_test=content.first_test,
            images_bytes=status.st_size,
            images_sha256=images_sha256,
            images_changed_ns=status.st_mtime_ns,
            labels_sha256=hashlib.sha256(labels).hexdigest(),
        )
        index.write(self._index(key))

    def _check_free_space(self, key: str, content: Content) -> None:
        needed = int(np.prod(content.shape, dtype=np.int64))
        free = shutil.disk_usage(self.directory).free
        if needed + SPARE_BYTES > free:
            raise OSError(
                errno.ENOSPC,
                f"The decoded images of {key} take {needed / 2**20:.0f} MiB, and "
                f"{SPARE_BYTES / 2**20:.0f} MiB must stay free; the disk of the cache has "
                f"{free / 2**20:.0f} MiB free",
            )
