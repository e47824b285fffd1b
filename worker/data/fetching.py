"""Fetching files: a download, a Debian package, and a list of sources to try in order."""

import errno
import http.client
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import TypeVar

from shared.settings import Settings
from worker.data.errors import DatasetMissing, SourceFailed

CONNECT_SECONDS = 10.0
#: How long `responds` waits. The sidecar answers within seconds.
PROBE_SECONDS = 2.5
CHUNK_BYTES = 2**20
NO_DOWNLOADS = "downloads are switched off (TRAINSHED_DOWNLOADS)"
DISK_FULL = {errno.ENOSPC, errno.EDQUOT}

T = TypeVar("T")


def read_first_available(
    name: str, sources: Sequence[tuple[str, Callable[[], T]]], *, hint: str
) -> T:
    """Return the content of the first source that works.

    Args:
        name: the data set.
        sources: the description of each source and the function that reads it.
        hint: what a person can do if every source fails.

    Raises:
        DatasetMissing: every source failed; it has the reason of each.
        OSError: the disk is full, so that another source would not help.
    """
    tried: list[tuple[str, str]] = []
    for source, read in sources:
        try:
            return read()
        except SourceFailed as error:
            tried.append((source, str(error)))
        except OSError as error:
            if error.errno in DISK_FULL:
                raise
            tried.append((source, error.strerror or type(error).__name__))
    raise DatasetMissing(name, tried, hint)


def responds(address: str) -> bool:
    """Return whether a file can be downloaded from an address now, without downloading it."""
    responses: list[int] = []

    def probe() -> None:
        request = urllib.request.Request(address, method="HEAD")  # noqa: S310 - of this project
        with (
            suppress(OSError, http.client.HTTPException),
            urllib.request.urlopen(request, timeout=PROBE_SECONDS) as response,  # noqa: S310
        ):
            responses.append(response.status)

    # In a thread, since looking up the name of a host has no timeout.
    thread = Thread(target=probe, daemon=True)
    thread.start()
    thread.join(PROBE_SECONDS)
    return bool(responses)


def is_debian_package_known(package: str) -> bool:
    """Return whether apt-get knows where to download a package from, or is too slow to say."""
    command = ["apt-get", "--print-uris", "download", package]
    try:
        _run(command, Path.cwd(), PROBE_SECONDS)
    except SourceFailed as error:
        return isinstance(error.__cause__, subprocess.TimeoutExpired)
    except OSError:  # there is no apt-get
        return False
    return True


def download(address: str, target: Path, *, max_bytes: int, timeout_seconds: float) -> None:
    """Download an address into the file `target`.

    Args:
        address: http or https.
        target: file to overwrite; the caller checks its content.
        max_bytes: limit of the response's length.
        timeout_seconds: limit for the whole file; connecting may take 10 s.

    Raises:
        SourceFailed: downloads are switched off, no response, a status other than 200, too long
            or too slow.
    """
    _check_downloads()
    deadline = time.monotonic() + timeout_seconds
    if not address.startswith(("http://", "https://")):
        raise SourceFailed(f"{address} is not an http or https address")
    written, timeout = 0, min(CONNECT_SECONDS, timeout_seconds)
    try:
        with (
            urllib.request.urlopen(address, timeout=timeout) as response,  # noqa: S310 - see above
            target.open("wb") as file,
        ):
            while chunk := response.read1(CHUNK_BYTES):
                written += len(chunk)
                if written > max_bytes:
                    raise SourceFailed(f"{address} sent more than {max_bytes} bytes")
                if time.monotonic() > deadline:
                    raise SourceFailed(
                        f"{address} sent only {written} bytes in {timeout_seconds:g} s"
                    )
                file.write(chunk)
            expected = response.headers.get("Content-Length")
    except urllib.error.HTTPError as error:
        error.close()
        raise SourceFailed(f"{address} responded with status {error.code}") from error
    except urllib.error.URLError as error:
        raise SourceFailed(f"{address} does not respond ({error.reason})") from error
    except TimeoutError as error:
        raise SourceFailed(f"{address} stopped sending after {written} bytes") from error
    except http.client.HTTPException as error:
        raise SourceFailed(f"{address} closed the connection after {written} bytes") from error
    if expected is not None and expected != str(written):
        raise SourceFailed(f"{address} closed the connection after {written} of {expected} bytes")


def debian_package(package: str, directory: Path, *, timeout_seconds: float) -> None:
    """Download a Debian package and unpack it into `directory`; root rights are not needed.

    Raises:
        SourceFailed: downloads are switched off, or apt-get or dpkg-deb is missing or failed.
    """
    _check_downloads()
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise SourceFailed(f"{tool} is not installed on this machine")
    timeouts = [f"Acquire::{kind}::Timeout={CONNECT_SECONDS:.0f}" for kind in ("http", "https")]
    options = [part for option in ("Acquire::Retries=0", *timeouts) for part in ("-o", option)]
    _run(["apt-get", *options, "download", package], directory, timeout_seconds)
    files = sorted(directory.glob(f"{package}_*.deb"))
    if not files:
        raise SourceFailed(f"apt-get did not download {package}")
    _run(["dpkg-deb", "-x", str(files[0]), str(directory)], directory, timeout_seconds)
    files[0].unlink()


def _check_downloads() -> None:
    if not Settings().downloads:
        raise SourceFailed(NO_DOWNLOADS)


def _run(command: list[str], directory: Path, timeout_seconds: float) -> None:
    try:
        done = subprocess.run(
            command,
            cwd=directory,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=timeout_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise SourceFailed(f"{command[0]} did not finish within {timeout_seconds:g} s") from error
    if done.returncode != 0:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        raise SourceFailed(
            f"{command[0]} failed with exit code {done.returncode}: {lines[-1][:300]}"
        )
