"""Fashion-MNIST, from its four original files, wherever they can be had.

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
from worker.data.dataset import Bytes, Content
from worker.data.errors import SourceFailed
from worker.data.fetching import debian_package, download, first_that_works
from worker.data.locking import exclusive

TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = FASHION_MNIST.files


@dataclass(frozen=True)
class Publication:
    """Where the four files are, and what they must unpack to.

    Debian packs the same content anew, so its gzip files have other digests than the published
    ones: the digest is that of the content.
    """

    sha256: Mapping[str, str]
    installed: Path
    package: str
    address: str
    most_bytes: int = 64 * 2**20
    within_seconds: float = 300.0


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
    "original .gz files into TRAINSHED_HOME/data/fashion-mnist there; the data set digits is "
    "always at hand."
)


def read(data_dir: Path, publication: Publication = PUBLISHED) -> Content:
    """Read all 70,000 images, training ones first, by the first way that works.

    What had to be fetched is kept in `data_dir`.

    Raises:
        DatasetMissing: no way worked.
    """
    kept = data_dir / FASHION_MNIST.name

    def fetched(bring: Callable[[Path, Publication], Path]) -> Content:
        partial = data_dir / f"{FASHION_MNIST.name}.partial"
        with exclusive(data_dir / f"{FASHION_MNIST.name}.lock"):
            shutil.rmtree(partial, ignore_errors=True)  # of a process that was killed
            partial.mkdir(parents=True)
            try:
                files = bring(partial, publication)
                content = read_files(files, publication)
                kept.mkdir(exist_ok=True)
                for name in publication.sha256:
                    (files / name).replace(kept / name)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
        return content

    ways = (
        lambda: read_files(kept, publication),
        lambda: read_files(publication.installed, publication),
        lambda: fetched(_from_debian),
        lambda: fetched(_from_address),
    )
    return first_that_works(
        FASHION_MNIST.name, list(zip(FASHION_MNIST.ways, ways, strict=True)), hint=HINT
    )


def _from_debian(directory: Path, publication: Publication) -> Path:
    debian_package(publication.package, directory, within_seconds=publication.within_seconds)
    return directory / publication.installed.relative_to("/")


def _from_address(directory: Path, publication: Publication) -> Path:
    for name in publication.sha256:
        download(
            f"{publication.address}/{name}",
            directory / name,
            most_bytes=publication.most_bytes,
            within_seconds=publication.within_seconds,
        )
    return directory


def read_files(directory: Path, publication: Publication = PUBLISHED) -> Content:
    """Read the four files of a directory.

    Raises:
        SourceFailed: one is missing, damaged, or another than the published one.
    """
    missing = [name for name in publication.sha256 if not (directory / name).is_file()]
    if missing:
        raise SourceFailed(f"{', '.join(missing)} not there")
    arrays = {
        name: parse_idx(name, unpack(directory / name, publication)) for name in publication.sha256
    }
    images = np.concatenate([arrays[TRAIN_IMAGES], arrays[TEST_IMAGES]])
    labels = np.concatenate([arrays[TRAIN_LABELS], arrays[TEST_LABELS]])
    return Content.of(images[:, None], labels, first_test=len(arrays[TRAIN_LABELS]))


def unpack(path: Path, publication: Publication) -> bytes:
    """The content of one gzip file, checked.

    Raises:
        SourceFailed: it is damaged, too large, or another content than the published one.
    """
    try:
        with gzip.open(path) as file:
            content = file.read(publication.most_bytes + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise SourceFailed(f"{path.name} is damaged ({error})") from error
    found = hashlib.sha256(content).hexdigest()
    if found != publication.sha256[path.name]:
        raise SourceFailed(
            f"{path.name} is not the published file: its content has the sha256 {found[:12]}…, "
            f"not {publication.sha256[path.name][:12]}…"
        )
    return content


def parse_idx(name: str, content: bytes) -> Bytes:
    """The array of an idx file of bytes: magic 0, 0, 8, dimensions; big-endian sizes; data.

    Raises:
        SourceFailed: it is no such file, or its length is not what its sizes say.
    """
    dimensions = content[3] if content[:3] == b"\0\0\x08" and len(content) > 3 else 0
    start = 4 + 4 * dimensions
    if not dimensions or len(content) < start:
        raise SourceFailed(f"{name} is no idx file of bytes")
    shape = struct.unpack(f">{dimensions}I", content[4:start])
    if len(content) - start != int(np.prod(shape, dtype=np.int64)):
        raise SourceFailed(f"{name} says shape {shape} and holds {len(content) - start} bytes")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
