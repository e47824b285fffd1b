"""The cache of decoded images: an array file to map into memory, made once.

A key has a small JSON file that names the files of images and labels and says what they hold;
it is written last, so that what it names is complete. Opening looks at sizes, the array's
header and the time of the last change, and hashes the images only where that time has moved.
"""

import errno
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from worker.data.dataset import Bytes, Content, ContentHash, Integers
from worker.data.locking import exclusive

FORMAT = 1
SPARE_BYTES = 64 * 2**20  # left free on the disk, which the database may share

log = logging.getLogger(__name__)


class CacheBroken(Exception):
    """A cached file does not hold what was written."""


@dataclass(frozen=True)
class Cached:
    """A ready entry: images mapped from the file, labels in memory."""

    images: Bytes
    labels: Integers
    first_test: int | None
    content_hash: str


@dataclass(frozen=True)
class _Sidecar:
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


class Cache:
    """The cached arrays of one directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def get(self, key: str, make: Callable[[], Content], *, name: str) -> Cached:
        """Open the entry `key`, making it first where it is missing or broken.

        Args:
            key: file name of the entry, without a suffix.
            make: gives the content; called under a lock, by one process only.
            name: of the data set, for the file names.

        Raises:
            OSError: the disk is full (ENOSPC), seen before anything is written.
        """
        try:
            return self._open(key)
        except (FileNotFoundError, CacheBroken):
            pass  # looked at again under the lock: another process may be making it
        with exclusive(self.directory / f"{key}.lock"):
            try:
                self._trust_if_whole(key)
                return self._open(key)
            except FileNotFoundError:
                pass
            except CacheBroken as fault:
                log.warning("cache entry %s is made again: %s", key, fault)
            self._write(key, make(), name)
            return self._open(key)

    def _sidecar(self, key: str) -> _Sidecar:
        try:
            fields = json.loads((self.directory / f"{key}.json").read_bytes())
            sidecar = _Sidecar(**{**fields, "shape": tuple(fields["shape"])})
        except (ValueError, TypeError, KeyError) as error:
            raise CacheBroken(f"its description cannot be read ({error})") from error
        if sidecar.format != FORMAT:
            raise CacheBroken(f"it has format {sidecar.format}, this version reads {FORMAT}")
        return sidecar

    def _open(self, key: str) -> Cached:
        sidecar = self._sidecar(key)
        status = (self.directory / sidecar.images).stat()
        if status.st_size != sidecar.images_bytes:
            raise CacheBroken(f"the images take {status.st_size} bytes, not {sidecar.images_bytes}")
        if status.st_mtime_ns != sidecar.images_changed_ns:
            raise CacheBroken("the images were changed")
        try:
            images_NCHW = np.load(self.directory / sidecar.images, mmap_mode="r")
            content = (self.directory / sidecar.labels).read_bytes()
        except (ValueError, EOFError) as error:
            raise CacheBroken(f"the images cannot be read ({error})") from error
        if images_NCHW.dtype != np.uint8 or images_NCHW.shape != sidecar.shape:
            raise CacheBroken(f"the images have the shape {images_NCHW.shape}")
        if hashlib.sha256(content).hexdigest() != sidecar.labels_sha256:
            raise CacheBroken("the labels were changed")
        labels_N = np.frombuffer(content, "<i8").astype(np.int64)
        return Cached(images_NCHW, labels_N, sidecar.first_test, sidecar.content_hash)

    def _trust_if_whole(self, key: str) -> None:
        """Where only the time of change has moved (a copied directory), hash and go on."""
        sidecar = self._sidecar(key)
        path = self.directory / sidecar.images
        changed_ns = path.stat().st_mtime_ns
        if changed_ns == sidecar.images_changed_ns:
            return
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != sidecar.images_sha256:
            raise CacheBroken("the images do not have the digest they were written with")
        fields = {**asdict(sidecar), "images_changed_ns": changed_ns}
        self._publish(self.directory / f"{key}.json", json.dumps(fields, indent=1).encode())

    def _write(self, key: str, content: Content, name: str) -> None:
        self._refuse_if_full(key, content)
        temporary = self.directory / f"{key}.images.tmp"  # one writer a key: we hold its lock
        try:
            computed, images_sha256 = _write_images(temporary, content)
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
        self._publish(self.directory / f"{stem}.labels", labels)
        sidecar = _Sidecar(
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
        self._publish(
            self.directory / f"{key}.json", json.dumps(asdict(sidecar), indent=1).encode()
        )

    def _refuse_if_full(self, key: str, content: Content) -> None:
        needed = int(np.prod(content.shape, dtype=np.int64))
        free = shutil.disk_usage(self.directory).free
        if needed + SPARE_BYTES > free:
            raise OSError(
                errno.ENOSPC,
                f"The decoded images of {key} take {needed / 2**20:.0f} MiB and "
                f"{SPARE_BYTES / 2**20:.0f} MiB are to stay free; the disk of the cache has "
                f"{free / 2**20:.0f} MiB free",
            )

    def _publish(self, path: Path, content: bytes) -> None:
        temporary = path.with_name(f"{path.name}.tmp")
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        directory = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def _write_images(path: Path, content: Content) -> tuple[str, str]:
    """Write the array file; gives the content hash and the sha256 of the file.

    By ordinary writes: a full disk is then an error, where a mapped file would kill us.
    """
    hashed, of_file = ContentHash(content), hashlib.sha256()
    count = 0
    with path.open("w+b") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": content.shape}
        np.lib.format.write_array_header_1_0(file, header)
        file.seek(0)
        of_file.update(file.read())
        for block in content.blocks:
            written: npt.NDArray[np.uint8] = np.ascontiguousarray(block)
            file.write(written.data)
            of_file.update(written.data)
            hashed.update(written.data)
            count += len(block)
        file.flush()
        os.fsync(file.fileno())
    if count != content.shape[0] or count != len(content.labels):
        raise ValueError(
            f"{count} images and {len(content.labels)} labels came, not {content.shape[0]}"
        )
    return hashed.finish(), of_file.hexdigest()
