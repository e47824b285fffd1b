"""Takes an upload in: to a file beside its place, checked there, then put in its place for good.

Whatever goes wrong on the way, nothing is kept.
"""

import errno
import hashlib
import os
from pathlib import Path

from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from api.services import Services
from api.weights import rows, usable
from api.weights.header import read_header
from api.weights.rows import UploadRow
from api.weights.unfinished import UNFINISHED
from shared.clock import now
from shared.errors import TooLarge, Unavailable
from shared.ids import new_id
from shared.storage import publish

#: Bytes that are gathered before a thread writes them.
CHUNK = 4 * 2**20


async def receive(services: Services, request: Request, *, owner: str, name: str) -> UploadRow:
    """Store the body of a request.

    Raises:
        TooLarge: it is longer than TRAINSHED_LIMIT_UPLOAD_MIB.
        BadWeights: it is no safetensors file that is whole, or nothing can go on with it.
        Unavailable: the disk is full.
    """
    most = services.settings.limit_upload_mib * 2**20
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > most:
        raise _too_large(most)
    weights_id = new_id("weights")
    final = services.storage.weights(weights_id)
    temporary = final.with_suffix(UNFINISHED)
    final.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        size, sha256 = await _write(request, temporary, most)
        return await run_in_threadpool(
            _keep, services, temporary, final, owner=owner, name=name, size=size, sha256=sha256
        )
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise Unavailable("The disk is full; ask whoever runs the box for room.") from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


async def _write(request: Request, path: Path, most: int) -> tuple[int, str]:
    """Stream the body to a file; its length and digest."""
    digest, size, gathered = hashlib.sha256(), 0, bytearray()
    with path.open("xb") as file:

        def spill() -> None:
            digest.update(gathered)
            file.write(gathered)
            gathered.clear()

        async for chunk in request.stream():
            size += len(chunk)
            if size > most:
                raise _too_large(most)
            gathered += chunk
            if len(gathered) >= CHUNK:
                await run_in_threadpool(spill)
        await run_in_threadpool(spill)
        file.flush()
        await run_in_threadpool(os.fsync, file.fileno())
    return size, digest.hexdigest()


def _keep(
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
    usable.check(temporary, header)
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
            rows.add(connection, upload)
    except BaseException:
        final.unlink(missing_ok=True)
        raise
    return upload


def _too_large(most: int) -> TooLarge:
    return TooLarge(
        f"The file is larger than {most // 2**20} MiB; TRAINSHED_LIMIT_UPLOAD_MIB sets the bound."
    )
