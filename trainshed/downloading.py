"""A download that goes on where it broke off, and is there only when its digest is right."""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from trainshed.errors import ApiError, Unreachable, problem_of

TRIES = 5
PAUSE_SECONDS = 0.5
CHUNK = 2**18


def download(
    http: httpx.Client,
    address: str,
    path: Path,
    sha256: str,
    size: int,
    progress: Callable[[int, int], None] | None,
) -> Path:
    """Fetch to `path`.

    Raises:
        ApiError: the service refuses, or what came is not what it said.
        Unreachable: the connection broke too often.
    """
    partial = path.with_name(f"{path.name}.{sha256[:12]}.part")
    for _ in range(TRIES):
        try:
            _fetch(http, address, partial, size, progress)
            break
        except httpx.TransportError:
            time.sleep(PAUSE_SECONDS)
    else:
        raise Unreachable(f"the download broke off {TRIES} times; {partial} keeps what came")
    with partial.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        partial.unlink()
        raise ApiError({"status": 0, "detail": f"the download's sha256 is {found}, not {sha256}"})
    partial.replace(path)
    return path


def _fetch(
    http: httpx.Client,
    address: str,
    partial: Path,
    size: int,
    progress: Callable[[int, int], None] | None,
) -> None:
    have = partial.stat().st_size if partial.exists() else 0
    if have >= size:
        return
    headers = {"Range": f"bytes={have}-"} if have else {}
    with http.stream("GET", address, headers=headers) as answer:
        if answer.is_error:
            answer.read()
            raise problem_of(answer)
        mode = "ab" if answer.status_code == 206 else "wb"
        have = have if mode == "ab" else 0
        with partial.open(mode) as file:
            for chunk in answer.iter_bytes(CHUNK):
                have += file.write(chunk)
                if progress is not None:
                    progress(have, size)
