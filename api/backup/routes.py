"""`GET /v1/backup`: a backup of the box, made while it is sent."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import suppress

from fastapi import APIRouter, Security
from fastapi.responses import StreamingResponse

from api.backup.__main__ import BUSY
from api.deps import ServicesDep, right
from api.http.schemas import content
from shared.clock import now
from shared.errors import Conflict, Unavailable
from shared.settings import Settings

router = APIRouter(tags=["backup"])

CHUNK_BYTES = 2**18


@router.get(
    "/v1/backup",
    dependencies=[Security(right("backup:read"))],
    summary="Download a backup of the box",
    response_class=StreamingResponse,
    responses={200: content("application/x-tar")},
)
async def download_backup(services: ServicesDep) -> StreamingResponse:
    """Return a tar file with all rows of one moment, and the files that they refer to.

    It is complete if its last part is `manifest.json`. Jobs continue while it is made. It can be
    restored into an empty box; registered directories, settings and the key of the first start are
    not part of it. While another backup is being made, the response is a 409.
    """
    process = await _start(services.settings)
    assert process.stdout is not None
    # The answer has no status yet as long as there is nothing to send.
    first = await process.stdout.read(CHUNK_BYTES)
    if not first:
        raise await _refusal(process)
    name = f"trainshed-{now():%Y-%m-%d-%H%M%S}.tar"
    return StreamingResponse(
        _rest(process, first),
        media_type="application/x-tar",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


async def _start(settings: Settings) -> asyncio.subprocess.Process:
    """Start a process of low priority that writes a backup to its standard output."""
    environment = os.environ | {
        "TRAINSHED_HOME": str(settings.home),
        "TRAINSHED_DATABASE_URL": settings.database,
        "TRAINSHED_STORAGE_URL": settings.storage.resolve().as_uri(),
    }
    command = [sys.executable, "-m", "api.backup", "write", "-"]
    return await asyncio.create_subprocess_exec(
        *command,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=2 * CHUNK_BYTES,
    )


async def _rest(process: asyncio.subprocess.Process, first: bytes) -> AsyncIterator[bytes]:
    """Yield what the process writes; end the process if the client goes."""
    assert process.stdout is not None
    try:
        yield first
        while chunk := await process.stdout.read(CHUNK_BYTES):
            yield chunk
        if await process.wait():
            # The connection breaks, so that the client knows that something is missing.
            raise await _refusal(process)
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.terminate()


async def _refusal(process: asyncio.subprocess.Process) -> Conflict | Unavailable:
    """Return why a process wrote no backup, once it has ended."""
    assert process.stderr is not None
    reason = (await process.stderr.read()).decode(errors="replace").strip()
    code = await process.wait()
    if code == BUSY:
        return Conflict(reason)
    return Unavailable(reason.splitlines()[-1] if reason else "The backup failed; try again.")
