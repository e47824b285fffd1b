"""Downloads: one that goes on where it broke off, and one whose length nobody knows before.

What is fetched is there only when it is whole: until then it has another name.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx

from trainshed.errors import ApiError, Unreachable, WrongUsage, problem_of

TRIES = 5
PAUSE_SECONDS = 0.5
CHUNK = 2**18

Where = str | Path


def place(where: Where, name: str) -> Path:
    """The file to write: `where`, or `name` in it if it is a directory or ends with a slash.

    Directories that are not there are made.

    Raises:
        WrongUsage: it is a device or a pipe, whose place a file would take.
    """
    is_directory = isinstance(where, str) and where.endswith(("/", os.sep))
    path = Path(where)
    if is_directory or path.is_dir():
        # A name of the service says where in the directory, never which directory.
        path = path / Path(name).name
    if path.exists() and not path.is_file():
        raise WrongUsage(f"{path} is no file: name one, or a directory")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def download(
    http: httpx.Client,
    address: str,
    path: Path,
    sha256: str,
    size: int,
    progress: Callable[[int, int], None] | None,
) -> Path:
    """Fetch to `path`; a download that broke off goes on, at the next call too.

    Raises:
        ApiError: the service refuses, or what came is not what it said.
        Unreachable: the connection broke too often.
    """
    partial = path.with_name(f"{path.name}.{sha256[:12]}.part")
    for _ in _tries(f"{partial} keeps what came"):
        try:
            _fetch(http, address, partial, size, progress)
            break
        except httpx.TransportError:
            time.sleep(PAUSE_SECONDS)
    with partial.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        partial.unlink()
        raise ApiError({"status": 0, "detail": f"the download's sha256 is {found}, not {sha256}"})
    partial.replace(path)
    return path


def download_unmeasured(
    http: httpx.Client, address: str, path: Path, progress: Callable[[int], None] | None
) -> Path:
    """Fetch what the service makes while it sends it to `path`: one that broke off begins anew.

    Raises:
        ApiError: the service refuses.
        Unreachable: the connection broke too often.
    """
    for _ in _tries("it is made while it is sent, so nothing is kept"):
        try:
            with http.stream("GET", address) as answer, path.open("wb") as file:
                _refuse(answer)
                for chunk in answer.iter_bytes(CHUNK):
                    file.write(chunk)
                    if progress is not None:
                        progress(file.tell())
            break
        except httpx.TransportError:
            time.sleep(PAUSE_SECONDS)
    return path


def _tries(what_is_left: str) -> Iterator[int]:
    yield from range(TRIES)
    raise Unreachable(f"the download broke off {TRIES} times; {what_is_left}")


def _fetch(
    http: httpx.Client,
    address: str,
    partial: Path,
    size: int,
    progress: Callable[[int, int], None] | None,
) -> None:
    have = partial.stat().st_size if partial.exists() else 0
    if have and have >= size:
        return
    headers = {"Range": f"bytes={have}-"} if have else {}
    with http.stream("GET", address, headers=headers) as answer:
        _refuse(answer)
        mode = "ab" if answer.status_code == 206 else "wb"
        have = have if mode == "ab" else 0
        with partial.open(mode) as file:
            for chunk in answer.iter_bytes(CHUNK):
                have += file.write(chunk)
                if progress is not None:
                    progress(have, size)


def _refuse(answer: httpx.Response) -> None:
    if answer.is_error:
        answer.read()
        raise problem_of(answer)
