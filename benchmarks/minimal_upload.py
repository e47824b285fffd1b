"""The smallest service that stores a body durably, which uploads through the API are compared with.

Starlette: one handler writes the body, hashes it and calls fsync.
`python -m benchmarks.minimal_upload PORT DIRECTORY`.
"""

import hashlib
import os
import sys
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


def make_app(directory: Path) -> Starlette:
    """Return the application that stores uploads in a directory."""

    async def upload(request: Request) -> JSONResponse:
        digest, path = hashlib.sha256(), directory / "upload"
        with path.open("wb") as file:

            def write(chunk: bytes) -> None:
                digest.update(chunk)
                file.write(chunk)

            async for chunk in request.stream():
                await run_in_threadpool(write, chunk)
            file.flush()
            await run_in_threadpool(os.fsync, file.fileno())
        return JSONResponse({"sha256": digest.hexdigest()})

    return Starlette(routes=[Route("/", upload, methods=["POST"])])


if __name__ == "__main__":
    app = make_app(Path(sys.argv[2]))
    uvicorn.run(app, port=int(sys.argv[1]), log_level="warning")
