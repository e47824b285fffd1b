"""The body of a request as a file: streamed to the disk and hashed while it arrives."""

import asyncio
import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from shared.errors import ServiceError, TooLarge, Unavailable

#: Bytes that are buffered before a thread writes them. Larger pieces leave the processor's cache
#: between hashing and writing: 4 MiB take three times the processor time of 512 KiB.
CHUNK_BYTES = 512 * 2**10
#: How long a client may continue to send what is refused already.
LINGER_SECONDS = 10.0
#: A client that sends nothing for this long waits for the response.
IDLE_SECONDS = 0.25
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


async def receive(
    request: Request, path: Path, *, max_mib: int, check: Callable[[int], None] | None = None
) -> tuple[int, str]:
    """Stream the body to a new file, durably; return its size and SHA-256.

    Args:
        request: the request.
        path: of the file.
        max_mib: the largest size in MiB.
        check: called in a thread with the declared size in bytes, or 0, before anything is
            received; it may raise.

    Raises:
        TooLarge: it exceeds the limit; known from the declared length before anything is read.
        OSError: it cannot be written, such as on a full disk.
    """
    max_bytes = max_mib * 2**20
    declared_length = request.headers.get("content-length", "")
    if declared_length.isdigit() and int(declared_length) > max_bytes:
        # A client that asks first waits for the response before it sends.
        if "expect" not in request.headers:
            await _discard_rest(request)
        raise _too_large(max_mib)
    if check is not None:
        try:
            await run_in_threadpool(check, int(declared_length or 0))
        except ServiceError:
            if "expect" not in request.headers:
                await _discard_rest(request)
            raise
    try:
        return await _receive(request, path, max_bytes)
    except _Exceeded:
        await _discard_rest(request)
        raise _too_large(max_mib) from None
    except OSError:
        await _discard_rest(request)
        raise


class _Exceeded(Exception):
    """The body is larger than is allowed."""


async def _receive(request: Request, path: Path, max_bytes: int) -> tuple[int, str]:
    digest, size, buffer = hashlib.sha256(), 0, bytearray()
    with path.open("xb") as file:

        def write(part: bytearray) -> None:
            digest.update(part)
            file.write(part)

        def finish(part: bytearray) -> None:
            write(part)
            file.flush()
            os.fsync(file.fileno())

        # A thread writes one part while the next arrives.
        writing = asyncio.create_task(run_in_threadpool(write, bytearray()))
        try:
            async for chunk in request.stream():
                size += len(chunk)
                if size > max_bytes:
                    raise _Exceeded
                buffer += chunk
                if len(buffer) >= CHUNK_BYTES:
                    await writing
                    writing = asyncio.create_task(run_in_threadpool(write, buffer))
                    buffer = bytearray()
        finally:
            await writing  # the file must not be closed before
        await run_in_threadpool(finish, buffer)
    return size, digest.hexdigest()


async def _discard_rest(request: Request) -> None:
    """Read what the client still sends, for a while.

    A connection that is closed with unread data is reset, and the client loses the response.
    """
    with suppress(TimeoutError, RuntimeError):
        async with asyncio.timeout(LINGER_SECONDS):
            is_sending = True
            while is_sending:
                async with asyncio.timeout(IDLE_SECONDS):
                    is_sending = (await request.receive()).get("more_body", False)


def _too_large(max_mib: int) -> TooLarge:
    return TooLarge(
        f"The file exceeds the limit of {max_mib:,} MiB, which TRAINSHED_LIMIT_UPLOAD_MIB sets."
    )
