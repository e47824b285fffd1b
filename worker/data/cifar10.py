"""CIFAR-10, from the binary archive; the pickled version could execute code.

Source: A. Krizhevsky: Learning Multiple Layers of Features from Tiny Images, 2009.
"""

import gzip
import hashlib
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from shared.datasets import CIFAR10
from shared.regular_files import is_regular, open_regular
from worker.data.dataset import Bytes, Content, Integers
from worker.data.errors import SourceFailed
from worker.data.fetching import download, read_first_available, responds
from worker.data.locking import exclusive

ARCHIVE = CIFAR10.files[0]
TRAIN_FILES = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
TEST_FILE = "test_batch.bin"
SIDE, CHANNELS = CIFAR10.image_size, CIFAR10.channels
RECORD_BYTES = 1 + CHANNELS * SIDE * SIDE
MAX_MEMBERS = 64
MAX_TAIL_BYTES = 2**20
HINT = (
    "Download the binary version, cifar-10-binary.tar.gz, from its author's page and put it into "
    "TRAINSHED_HOME/data/cifar10 on the worker's machine."
)


@dataclass(frozen=True)
class Publication:
    """The published archive: its address, digest and size."""

    address: str
    md5: str
    images_per_file: int
    max_bytes: int = 200 * 2**20
    timeout_seconds: float = 1_800.0


PUBLISHED = Publication(
    address="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    md5="c32a1d4ab5d03f1284b67883e8d87530",
    images_per_file=10_000,
)


def read(data_dir: Path, publication: Publication = PUBLISHED) -> Content:
    """Read all 60,000 images, training images first, from the user's file or the address.

    Raises:
        DatasetMissing: both sources failed.
    """
    stored = data_dir / CIFAR10.name / ARCHIVE

    def fetch() -> Content:
        partial = stored.with_name(f"{ARCHIVE}.partial")
        with exclusive(data_dir / f"{CIFAR10.name}.lock"):
            partial.parent.mkdir(parents=True, exist_ok=True)
            try:
                download(
                    publication.address,
                    partial,
                    max_bytes=publication.max_bytes,
                    timeout_seconds=publication.timeout_seconds,
                )
                with partial.open("rb") as file:
                    digest = hashlib.file_digest(file, "md5").hexdigest()
                if digest != publication.md5:
                    raise SourceFailed(f"the file has the md5 {digest}, not {publication.md5}")
                content = read_archive(partial, publication)
                partial.replace(stored)
            finally:
                partial.unlink(missing_ok=True)
        return content

    readers = (lambda: read_archive(stored, publication), fetch)
    sources = list(zip(CIFAR10.ways, readers, strict=True))
    return read_first_available(CIFAR10.name, sources, hint=HINT)


def can_be_fetched(publication: Publication = PUBLISHED) -> bool:
    """Return whether the archive can be downloaded now."""
    return responds(publication.address)


def read_archive(path: Path, publication: Publication = PUBLISHED) -> Content:
    """Read the six files of the archive, without writing to the disk.

    A user's archive may have another digest than the published archive, since repacking changes
    it, but every file must have its exact length.

    Raises:
        SourceFailed: the archive is missing, damaged, incomplete or another file.
    """
    if not is_regular(path.parent, path.name):
        raise SourceFailed(f"{ARCHIVE} does not exist")
    try:
        files = _members(path, publication.images_per_file * RECORD_BYTES)
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise SourceFailed(f"{ARCHIVE} is damaged ({error})") from error
    missing = [name for name in (*TRAIN_FILES, TEST_FILE) if name not in files]
    if missing:
        raise SourceFailed(f"{ARCHIVE} lacks {', '.join(missing)}")
    parts = [_records(name, files[name]) for name in (*TRAIN_FILES, TEST_FILE)]
    images_NCHW = np.concatenate([images for images, _ in parts])
    labels_N = np.concatenate([labels for _, labels in parts])
    return Content.of(images_NCHW, labels_N, first_test=len(labels_N) - len(parts[-1][1]))


def _members(path: Path, expected_bytes: int) -> dict[str, bytes]:
    """Return the contents of the six files by name."""
    files: dict[str, bytes] = {}
    with open_regular(path.parent, path.name) as packed, gzip.open(packed) as unpacked:
        with tarfile.open(fileobj=unpacked, mode="r|") as archive:
            for count, member in enumerate(archive, start=1):
                name = PurePosixPath(member.name).name
                if count > MAX_MEMBERS or member.size > expected_bytes:
                    raise SourceFailed(
                        f"{ARCHIVE} is not the binary version: it has more than {MAX_MEMBERS} "
                        f"files, or a file of more than {expected_bytes} bytes"
                    )
                if name not in (*TRAIN_FILES, TEST_FILE) or not member.isreg():
                    continue
                if name in files or member.size != expected_bytes:
                    raise SourceFailed(
                        f"{name} is a duplicate, or has {member.size} bytes, not {expected_bytes}"
                    )
                opened = archive.extractfile(member)
                files[name] = opened.read() if opened else b""
        if len(unpacked.read(MAX_TAIL_BYTES)) == MAX_TAIL_BYTES:  # reads the checksum at the end
            raise SourceFailed(f"{ARCHIVE} has data after its last file")
    return files


def _records(name: str, content: bytes) -> tuple[Bytes, Integers]:
    """Decode records of a label and 3,072 values: the red, green and blue planes."""
    records = np.frombuffer(content, np.uint8).reshape(-1, RECORD_BYTES)
    labels_N = records[:, 0].astype(np.int64)
    if labels_N.max(initial=0) >= len(CIFAR10.classes):
        raise SourceFailed(f"{name} has the label {labels_N.max()}; labels are 0 to 9")
    return records[:, 1:].reshape(-1, CHANNELS, SIDE, SIDE), labels_N
