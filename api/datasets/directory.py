"""Registers a directory of the box as a data set: nothing is copied."""

import os
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from api.http.faults import abbreviated
from api.http.strict_json import parse
from shared.errors import BadRequest, Fault, InvalidSpec, TooLarge
from shared.settings import Settings

AT = "/path"
MAX_BODY_BYTES = 65_536
MAX_PATH_LENGTH = 4_096
NO_ROOTS = (
    "names a directory of the box, which TRAINSHED_DATA_ROOTS does not allow: set it to the "
    "directories below which data sets may be, or upload the files"
)


async def read_path(request: Request, settings: Settings) -> Path:
    """Return the directory that the body `{"path": …}` names, without links on the way.

    Raises:
        TooLarge: the body exceeds 64 KiB.
        BadRequest: it is not JSON.
        InvalidSpec: it has another form, or the directory is missing or not allowed.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise TooLarge(f"The body exceeds the limit of {MAX_BODY_BYTES // 1024} KiB.")
    path = _path(parse(bytes(body)))
    return await run_in_threadpool(_resolve, path, settings.roots_of_data)


def _path(body: Any) -> str:
    if not isinstance(body, dict):
        raise BadRequest(f'The body is {abbreviated(body)}; it must be {{"path": "/directory"}}.')
    faults = [Fault(f"/{name}", "is unknown; use path") for name in body if name != "path"]
    path = body.get("path")
    if not isinstance(path, str) or not path.startswith("/"):
        what = "is required" if "path" not in body else f"is {abbreviated(path)}"
        faults.append(Fault(AT, f"{what}; it must be a path that begins with /"))
    elif len(path) > MAX_PATH_LENGTH:
        text = f"has {len(path):,} characters; at most {MAX_PATH_LENGTH:,} are allowed"
        faults.append(Fault(AT, text))
    if faults:
        raise InvalidSpec(faults, subject="request")
    return str(path)


def _resolve(path: str, roots: tuple[Path, ...]) -> Path:
    """Return the directory, which must be below one of the roots, also after links."""
    if not roots:
        raise _fault(NO_ROOTS)
    named = Path(os.path.normpath(path))
    found = Path(os.path.realpath(path))
    allowed = " or ".join(str(root) for root in roots)
    resolved = [Path(os.path.realpath(root)) for root in roots]
    # First as it is written: what is elsewhere on the box is not said.
    if not any(named.is_relative_to(root) for root in (*roots, *resolved)):
        raise _fault(f"is {path}, which is not below {allowed} (TRAINSHED_DATA_ROOTS)")
    if not any(found.is_relative_to(root) for root in resolved):
        raise _fault(f"is {path}, where a link leads out of {allowed} (TRAINSHED_DATA_ROOTS)")
    if not found.exists():
        raise _fault(f"is {path}, which does not exist")
    if not found.is_dir():
        raise _fault(f"is {path}, which is no directory; upload a file instead")
    if not os.access(found, os.R_OK | os.X_OK):
        raise _fault(f"is {path}, which the service may not read")
    return found


def _fault(text: str) -> InvalidSpec:
    return InvalidSpec([Fault(AT, text)], subject="request")
