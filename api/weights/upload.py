"""Stores an upload: written to a temporary file, checked there, then moved to its final place.

If anything fails on the way, no file and no row remain.
"""

import errno
import hashlib
import os
from pathlib import Path

from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from api.services.container import Services
from api.weights import queries
from api.weights.checks import check_weights
from api.weights.header import read_header
from api.weights.unfinished import UNFINISHED
from shared.clock import now
from shared.errors import TooLarge, Unavailable
from shared.ids import new_id
from shared.jobs.rows import UploadRow
from shared.storage import publish

#: Bytes that are buffered before a thread writes them.
CHUNK_BYTES = 4 * 2**20


async def store_upload(services: Services, request: Request, *, owner: str, name: str) -> UploadRow:
    """Store the body of a request.

    Raises:
        TooLarge: It exceeds TRAINSHED_LIMIT_UPLOAD_MIB.
        BadWeights: It is not a complete safetensors file, or no job could start from it.
        Unavailable: The disk is full.
    """
    max_bytes = services.settings.limit_upload_mib * 2**20
    declared_length = request.headers.get("content-length", "")
    if declared_length.isdigit() and int(declared_length) > max_bytes:
        raise _too_large(max_bytes)
    weights_id = new_id("weights")
    final = services.storage.weights(weights_id)
    temporary = final.with_suffix(UNFINISHED)
    final.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        size, sha256 = await _write(request, temporary, max_bytes)
        return await run_in_threadpool(
            _publish, services, temporary, final, owner=owner, name=name, size=size, sha256=sha256
        )
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise Unavailable(
                "The disk of the service is full; ask its administrator to free space."
            ) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


async def _write(request: Request, path: Path, max_bytes: int) -> tuple[int, str]:
    """Stream the body to a file; return its size and SHA-256."""
    digest, size, buffer = hashlib.sha256(), 0, bytearray()
    with path.open("xb") as file:

        def flush() -> None:
            digest.update(buffer)
            file.write(buffer)
            buffer.clear()

        async for chunk in request.stream():
            size += len(chunk)
            if size > max_bytes:
                raise _too_large(max_bytes)
            buffer += chunk
            if len(buffer) >= CHUNK_BYTES:
                await run_in_threadpool(flush)
        await run_in_threadpool(flush)
        file.flush()
        await run_in_threadpool(os.fsync, file.fileno())
    return size, digest.hexdigest()


def _publish(
    services: Services,
    temporary: Path,
    final: Path,
    *,
    owner: str,
    name: str,
    size: int,
    sha256: str,
) -> UploadRow:
    header = read_header(temporary)
    check_weights(temporary, header)
    upload = UploadRow(
        id=final.stem,
        owner=owner,
        name=name,
        bytes=size,
        sha256=sha256,
        tensors=len(header.tensors),
        parameters=header.parameters,
        created_at=now(),
    )
    publish(temporary, final)
    try:
        with services.database.write() as connection:
            queries.add(connection, upload)
    except BaseException:
        final.unlink(missing_ok=True)
        raise
    return upload


def _too_large(max_bytes: int) -> TooLarge:
    return TooLarge(
        f"The file exceeds the limit of {max_bytes // 2**20:,} MiB, which "
        "TRAINSHED_LIMIT_UPLOAD_MIB sets."
    )
