"""Downloads of files of known size, which can be resumed, and of files of unknown size.

A file has its final name only when it is complete.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx

from trainshed.errors import ApiError, Unreachable, WrongUsage, problem_of

ATTEMPTS = 5
RETRY_SECONDS = 0.5
CHUNK_BYTES = 2**18

Target = str | Path


def target_file(target: Target, name: str) -> Path:
    """Return the file to write: `target`, or `name` in it if it is a directory or ends with `/`.

    Missing directories are created.

    Raises:
        WrongUsage: the target is a device or a pipe, which a file would replace.
    """
    is_directory = isinstance(target, str) and target.endswith(("/", os.sep))
    path = Path(target)
    if is_directory or path.is_dir():
        # Only the last component: a name from the service must not lead out of the directory.
        path = path / Path(name).name
    if path.exists() and not path.is_file():
        raise WrongUsage(f"{path} is not a regular file. Name a file or a directory.")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def download(
    http: httpx.Client,
    url: str,
    path: Path,
    sha256: str,
    size_bytes: int,
    progress: Callable[[int, int], None] | None,
) -> Path:
    """Download to `path` and check the digest; an interrupted download resumes, also later.

    Raises:
        ApiError: the service refuses the request, or the digest is wrong.
        Unreachable: the connection broke too often.
    """
    partial = path.with_name(f"{path.name}.{sha256[:12]}.part")
    for _ in _attempts(f"The part in {partial} is kept; the next call resumes there."):
        try:
            _download_rest(http, url, partial, size_bytes, progress)
            break
        except httpx.TransportError:
            time.sleep(RETRY_SECONDS)
    with partial.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != sha256:
        partial.unlink()
        detail = f"The SHA-256 of the download is {digest}; it should be {sha256}."
        raise ApiError({"status": 0, "detail": detail})
    partial.replace(path)
    return path


def download_of_unknown_size(
    http: httpx.Client, url: str, path: Path, progress: Callable[[int], None] | None
) -> Path:
    """Download a file that the service makes while it sends it; a broken download starts over.

    Raises:
        ApiError: the service refuses the request.
        Unreachable: the connection broke too often.
    """
    for _ in _attempts("A file of unknown size cannot be resumed."):
        try:
            download_once(http, url, path, progress)
            break
        except httpx.TransportError:
            time.sleep(RETRY_SECONDS)
    return path


def download_once(
    http: httpx.Client,
    url: str,
    path: Path,
    progress: Callable[[int], None] | None,
    *,
    timeout: httpx.Timeout | None = None,
) -> None:
    """Download a file of unknown size, without a second try.

    Raises:
        ApiError: the service refuses the request.
        httpx.TransportError: the connection broke.
    """
    with (
        http.stream("GET", url, timeout=timeout or http.timeout) as response,
        path.open("wb") as file,
    ):
        _raise_for_error(response)
        for chunk in response.iter_bytes(CHUNK_BYTES):
            file.write(chunk)
            if progress is not None:
                progress(file.tell())


def _attempts(hint: str) -> Iterator[int]:
    yield from range(ATTEMPTS)
    raise Unreachable(f"The download broke off {ATTEMPTS} times. {hint}")


def _download_rest(
    http: httpx.Client,
    url: str,
    partial: Path,
    size_bytes: int,
    progress: Callable[[int, int], None] | None,
) -> None:
    done = partial.stat().st_size if partial.exists() else 0
    if done and done >= size_bytes:
        return
    headers = {"Range": f"bytes={done}-"} if done else {}
    with http.stream("GET", url, headers=headers) as response:
        _raise_for_error(response)
        mode = "ab" if response.status_code == 206 else "wb"
        done = done if mode == "ab" else 0
        with partial.open(mode) as file:
            for chunk in response.iter_bytes(CHUNK_BYTES):
                done += file.write(chunk)
                if progress is not None:
                    progress(done, size_bytes)


def _raise_for_error(response: httpx.Response) -> None:
    if response.is_error:
        response.read()
        raise problem_of(response)
