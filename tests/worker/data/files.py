"""Small files in the formats of the published data sets, and a server for them."""

import contextlib
import functools
import gzip
import hashlib
import http.server
import io
import struct
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from worker.data import cifar10, fashion_mnist
from worker.data.dataset import Bytes, Content

NOWHERE = "http://127.0.0.1:9"  # the port of the discard protocol: nothing listens there


def idx(array: Bytes) -> bytes:
    return (
        b"\0\0\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    ) + array.tobytes()


def fashion(
    directory: Path, *, installed: Path, address: str = NOWHERE
) -> fashion_mnist.Publication:
    """Write 20 training and 10 test images into `directory` and return their publication."""
    directory.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    arrays = (
        random.integers(0, 256, (20, 28, 28), np.uint8),
        np.arange(20, dtype=np.uint8) % 10,
        random.integers(0, 256, (10, 28, 28), np.uint8),
        np.arange(10, dtype=np.uint8),
    )
    digests = {}
    for name, array in zip(fashion_mnist.PUBLISHED.sha256, arrays, strict=True):
        (directory / name).write_bytes(gzip.compress(idx(array)))
        digests[name] = hashlib.sha256(idx(array)).hexdigest()
    return fashion_mnist.Publication(
        sha256=digests,
        installed=installed,
        package="dataset-of-the-test",
        address=address,
        max_bytes=100_000,
        timeout_seconds=60,
    )


def cifar(path: Path, *, images: int = 3, **changed: bytes) -> cifar10.Publication:
    """Write an archive with `images` per file; `changed` replaces members by name without .bin."""
    random = np.random.default_rng(1)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        for name in ("batches.meta.txt", *cifar10.TRAIN_FILES, cifar10.TEST_FILE):
            records = random.integers(0, 256, (images, cifar10.RECORD_BYTES), np.uint8)
            records[:, 0] %= 10
            content = changed.get(name.removesuffix(".bin"), records.tobytes())
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    md5 = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    return cifar10.Publication(address=NOWHERE, md5=md5, images_per_file=images, timeout_seconds=60)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextlib.contextmanager
def served(directory: Path, handler: type[Quiet] = Quiet) -> Iterator[str]:
    """Serve the files of `directory`; yields the address."""
    factory = functools.partial(handler, directory=str(directory))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), factory) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def images_of(content: Content) -> Bytes:
    return np.concatenate(list(content.blocks))
