"""Fashion-MNIST, from its four original files.

Source: Xiao, Rasul, Vollgraf: Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine
Learning Algorithms, 2017, arXiv 1708.07747.
"""

import gzip
import hashlib
import shutil
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shared.datasets import FASHION_MNIST
from shared.regular_files import is_regular, open_regular
from worker.data.dataset import Bytes, Content
from worker.data.errors import SourceFailed
from worker.data.fetching import (
    debian_package,
    download,
    is_debian_package_known,
    read_first_available,
    responds,
)
from worker.data.locking import exclusive

TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = FASHION_MNIST.files


@dataclass(frozen=True)
class Publication:
    """The published files: their sources, and the digests of their unpacked content.

    Debian compresses the same content again, so its gzip files have other digests than the
    published files.
    """

    sha256: Mapping[str, str]
    installed: Path
    package: str
    address: str
    max_bytes: int = 64 * 2**20
    timeout_seconds: float = 300.0


PUBLISHED = Publication(
    sha256={
        TRAIN_IMAGES: "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        TRAIN_LABELS: "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        TEST_IMAGES: "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        TEST_LABELS: "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
    installed=Path(FASHION_MNIST.installed),
    package="dataset-fashion-mnist",
    address="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
)
HINT = (
    "Install Debian's package dataset-fashion-mnist on the worker's machine, or put the four "
    "original .gz files into TRAINSHED_HOME/data/fashion-mnist there. The data set digits is "
    "always available."
)


def read(data_dir: Path, publication: Publication = PUBLISHED) -> Content:
    """Read all 70,000 images, training images first, from the first source that works.

    Fetched files are stored in `data_dir`.

    Raises:
        DatasetMissing: every source failed.
    """
    stored = data_dir / FASHION_MNIST.name

    def fetch(fetch_files: Callable[[Path, Publication], Path]) -> Content:
        partial = data_dir / f"{FASHION_MNIST.name}.partial"
        with exclusive(data_dir / f"{FASHION_MNIST.name}.lock"):
            shutil.rmtree(partial, ignore_errors=True)  # left by a killed process
            partial.mkdir(parents=True)
            try:
                files = fetch_files(partial, publication)
                content = read_files(files, publication)
                stored.mkdir(exist_ok=True)
                for name in publication.sha256:
                    (files / name).replace(stored / name)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
        return content

    readers = (
        lambda: read_files(stored, publication),
        lambda: read_files(publication.installed, publication),
        lambda: fetch(_from_debian),
        lambda: fetch(_from_address),
    )
    sources = list(zip(FASHION_MNIST.ways, readers, strict=True))
    return read_first_available(FASHION_MNIST.name, sources, hint=HINT)


def can_be_fetched(publication: Publication = PUBLISHED) -> bool:
    """Return whether Debian's package or the published files can be downloaded now."""
    return is_debian_package_known(publication.package) or responds(
        f"{publication.address}/{TEST_LABELS}"
    )


def _from_debian(directory: Path, publication: Publication) -> Path:
    debian_package(publication.package, directory, timeout_seconds=publication.timeout_seconds)
    return directory / publication.installed.relative_to("/")


def _from_address(directory: Path, publication: Publication) -> Path:
    for name in publication.sha256:
        download(
            f"{publication.address}/{name}",
            directory / name,
            max_bytes=publication.max_bytes,
            timeout_seconds=publication.timeout_seconds,
        )
    return directory


def read_files(directory: Path, publication: Publication = PUBLISHED) -> Content:
    """Read the four files of a directory.

    Raises:
        SourceFailed: a file is missing, damaged, or differs from the published file.
    """
    missing = [name for name in publication.sha256 if not is_regular(directory, name)]
    if missing:
        raise SourceFailed(f"no {', '.join(missing)}")
    arrays = {
        name: parse_idx(name, unpack(directory / name, publication)) for name in publication.sha256
    }
    images = np.concatenate([arrays[TRAIN_IMAGES], arrays[TEST_IMAGES]])
    labels = np.concatenate([arrays[TRAIN_LABELS], arrays[TEST_LABELS]])
    return Content.of(images[:, None], labels, first_test=len(arrays[TRAIN_LABELS]))


def unpack(path: Path, publication: Publication) -> bytes:
    """Return the content of a gzip file after checking its digest.

    Raises:
        SourceFailed: the file is damaged, too large, or differs from the published file.
    """
    try:
        with open_regular(path.parent, path.name) as packed, gzip.open(packed) as file:
            content = file.read(publication.max_bytes + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise SourceFailed(f"{path.name} is damaged ({error})") from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != publication.sha256[path.name]:
        raise SourceFailed(
            f"{path.name} is not the published file: its content has the sha256 {digest[:12]}…, "
            f"not {publication.sha256[path.name][:12]}…"
        )
    return content


def parse_idx(name: str, content: bytes) -> Bytes:
    """Parse an idx file of bytes: magic 0, 0, 8, dimensions; big-endian sizes; data.

    Raises:
        SourceFailed: the file has another format, or its length does not match its sizes.
    """
    dimensions = content[3] if content[:3] == b"\0\0\x08" and len(content) > 3 else 0
    start = 4 + 4 * dimensions
    if not dimensions or len(content) < start:
        raise SourceFailed(f"{name} is not an idx file of bytes")
    shape = struct.unpack(f">{dimensions}I", content[4:start])
    if len(content) - start != int(np.prod(shape, dtype=np.int64)):
        raise SourceFailed(
            f"{name} declares the shape {shape} but has {len(content) - start} bytes"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
