"""Decoding the pictures of an upload on all cores, in order.

Threads suffice: Pillow, zlib and hashlib release Python's global lock while they work.
"""

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import numpy as np
from PIL import Image

from worker.data.uploads.budget import Budget
from worker.data.uploads.faults import BadFile
from worker.data.uploads.formats import MAX_FILE_BYTES
from worker.data.uploads.picture import open_picture
from worker.data.uploads.pixels import from_array
from worker.data.uploads.upload import Picture

Result = TypeVar("Result")
MAX_THREADS = 32
#: Pictures that a thread takes at a time, so that small pictures are not slowed by the exchange.
CHUNK = 16
#: Compressed files in memory, of all threads together.
FILES = Budget(MAX_FILE_BYTES)


@dataclass(frozen=True)
class Opened:
    """A picture as people see it, and the hash of what it was read from; empty if not needed."""

    image: Image.Image
    digest: bytes


@contextmanager
def opened(
    picture: Picture, at_least: int | None = None, *, is_hashed: bool = False
) -> Iterator[Opened]:
    """Read and decode a picture; `at_least` as for `open_picture`.

    Raises:
        BadFile: it cannot be read.
    """
    if picture.bytes > MAX_FILE_BYTES:
        limit = f"{MAX_FILE_BYTES // 2**20} MiB"
        raise BadFile(f"has {picture.bytes:,} bytes; a picture may have {limit}")
    with FILES.held(picture.bytes):
        content = picture.read()
        if isinstance(content, np.ndarray):
            digest = hashlib.sha256(content.tobytes()).digest() if is_hashed else b""
            yield Opened(from_array(content), digest)
            return
        digest = hashlib.sha256(content).digest() if is_hashed else b""
        with open_picture(content, at_least) as image:
            del content
            yield Opened(image, digest)


def in_order(
    work: Callable[[Picture], Result], pictures: Iterator[Picture]
) -> Iterator[tuple[str, Result | BadFile]]:
    """Yield file and result of `work` for all pictures, in order; BadFile where it raises it.

    Only some chunks are ahead of the caller, so memory stays bounded.
    """

    def run(chunk: list[Picture]) -> list[tuple[str, Result | BadFile]]:
        return [(picture.file, _result(work, picture)) for picture in chunk]

    threads = min(MAX_THREADS, len(os.sched_getaffinity(0)))
    waiting = deque[Future[list[tuple[str, Result | BadFile]]]]()
    with ThreadPoolExecutor(threads, "decode") as pool:
        try:
            while chunk := list(islice(pictures, CHUNK)):
                waiting.append(pool.submit(run, chunk))
                if len(waiting) > 2 * threads:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _result(work: Callable[[Picture], Result], picture: Picture) -> Result | BadFile:
    try:
        return work(picture)
    except BadFile as error:
        return error
