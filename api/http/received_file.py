"""The body of a request as a file: streamed to the disk and hashed while it arrives."""

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from shared.errors import TooLarge, Unavailable

#: Bytes that are buffered before a thread writes them.
CHUNK_BYTES = 4 * 2**20
#: The suffix of a file that is still being written.
UNFINISHED = ".part"


def delete_unfinished(directory: Path) -> None:
    """Delete the files that a killed API left; called before the first upload of this process."""
    for path in directory.glob(f"*{UNFINISHED}"):
        path.unlink(missing_ok=True)


@contextmanager
def temporary_file(path: Path) -> Iterator[Path]:
    """Yield the path for an upload in a directory that exists; nothing is left at the end.

    Raises:
        Unavailable: the disk is full.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        yield path
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise Unavailable(
                "The disk of the service is full; ask its administrator to free space."
            ) from error
        raise
    finally:
        path.unlink(missing_ok=True)


async def receive(request: Request, path: Path, *, max_mib: int) -> tuple[int, str]:
    """Stream the body to a new file, durably; return its size and SHA-256.

    Raises:
        TooLarge: it exceeds the limit; known from the declared length before anything is read.
    """
    max_bytes = max_mib * 2**20
    declared_length = request.headers.get("content-length", "")
    if declared_length.isdigit() and int(declared_length) > max_bytes:
        raise _too_large(max_mib)
    digest, size, buffer = hashlib.sha256(), 0, bytearray()
    with path.open("xb") as file:

        def flush() -> None:
            digest.update(buffer)
            file.write(buffer)
            buffer.clear()

        async for chunk in request.stream():
            size += len(chunk)
            if size > max_bytes:
                raise _too_large(max_mib)
            buffer += chunk
            if len(buffer) >= CHUNK_BYTES:
                await run_in_threadpool(flush)
        await run_in_threadpool(flush)
        file.flush()
        await run_in_threadpool(os.fsync, file.fileno())
    return size, digest.hexdigest()


def _too_large(max_mib: int) -> TooLarge:
    return TooLarge(
        f"The file exceeds the limit of {max_mib:,} MiB, which TRAINSHED_LIMIT_UPLOAD_MIB sets."
    )
