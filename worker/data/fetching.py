"""Ways to files that are not here yet: an address, a Debian package. And trying ways in order."""

import errno
import http.client
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from worker.data.errors import DatasetMissing, SourceFailed

CONNECT_SECONDS = 10.0
CHUNK_BYTES = 2**20
DISK_FULL = {errno.ENOSPC, errno.EDQUOT}

T = TypeVar("T")


def first_that_works(name: str, ways: Sequence[tuple[str, Callable[[], T]]], *, hint: str) -> T:
    """Try each way in order.

    Args:
        name: of the data set.
        ways: what each is called for people, and what to call.
        hint: for when none works.

    Raises:
        DatasetMissing: none worked; it says why, for each.
        OSError: the disk is full; another way would not help.
    """
    tried: list[tuple[str, str]] = []
    for way, attempt in ways:
        try:
            return attempt()
        except SourceFailed as error:
            tried.append((way, str(error)))
        except OSError as error:
            if error.errno in DISK_FULL:
                raise
            tried.append((way, error.strerror or type(error).__name__))
    raise DatasetMissing(name, tried, hint)


def download(address: str, target: Path, *, most_bytes: int, within_seconds: float) -> None:
    """Write what an address answers into the file `target`.

    Args:
        address: http or https.
        target: overwritten; the caller checks its content.
        most_bytes: a longer answer is refused.
        within_seconds: for the whole file; connecting has 10 s.

    Raises:
        SourceFailed: no answer, not 200, too long or too slow.
    """
    deadline = time.monotonic() + within_seconds
    if not address.startswith(("http://", "https://")):
        raise SourceFailed(f"{address} is not an http or https address")
    written, timeout = 0, min(CONNECT_SECONDS, within_seconds)
    try:
        with (
            urllib.request.urlopen(address, timeout=timeout) as answer,  # noqa: S310 - see above
            target.open("wb") as file,
        ):
            while chunk := answer.read1(CHUNK_BYTES):
                written += len(chunk)
                if written > most_bytes:
                    raise SourceFailed(f"{address} gives more than {most_bytes} bytes")
                if time.monotonic() > deadline:
                    raise SourceFailed(
                        f"{address} gave {written} bytes in {within_seconds:g} s, which is too slow"
                    )
                file.write(chunk)
            expected = answer.headers.get("Content-Length")
    except urllib.error.HTTPError as error:
        error.close()
        raise SourceFailed(f"{address} answers {error.code}") from error
    except urllib.error.URLError as error:
        raise SourceFailed(f"{address} does not answer ({error.reason})") from error
    except TimeoutError as error:
        raise SourceFailed(f"{address} stopped answering after {written} bytes") from error
    except http.client.HTTPException as error:
        raise SourceFailed(f"{address} broke off after {written} bytes") from error
    if expected is not None and expected != str(written):
        raise SourceFailed(f"{address} broke off after {written} of {expected} bytes")


def debian_package(package: str, directory: Path, *, within_seconds: float) -> None:
    """Download a Debian package and unpack it into `directory`; needs no root.

    Raises:
        SourceFailed: no apt-get here, or it knows no such package, or it does not get it.
    """
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise SourceFailed(f"there is no {tool} on this machine")
    quick = [f"Acquire::{kind}::Timeout={CONNECT_SECONDS:.0f}" for kind in ("http", "https")]
    options = [part for option in ("Acquire::Retries=0", *quick) for part in ("-o", option)]
    _run(["apt-get", *options, "download", package], directory, within_seconds)
    found = sorted(directory.glob(f"{package}_*.deb"))
    if not found:
        raise SourceFailed(f"apt-get downloaded no {package}")
    _run(["dpkg-deb", "-x", str(found[0]), str(directory)], directory, within_seconds)
    found[0].unlink()


def _run(command: list[str], directory: Path, within_seconds: float) -> None:
    try:
        done = subprocess.run(
            command,
            cwd=directory,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=within_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise SourceFailed(f"{command[0]} did not end within {within_seconds:g} s") from error
    if done.returncode != 0:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        raise SourceFailed(f"{command[0]} ended with {done.returncode}: {lines[-1][:300]}")
