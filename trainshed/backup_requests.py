"""The download of a backup, which is checked before it gets its name."""

import hashlib
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from trainshed.connection import Connection
from trainshed.downloads import CHUNK_BYTES, download_once
from trainshed.errors import Unreachable, WrongUsage

MANIFEST = "manifest.json"
#: A box with many rows takes a while until it has the first of its parts.
TIMEOUT = httpx.Timeout(600.0, connect=5.0)


class BackupRequests(Connection):
    """The request for a backup."""

    def backup(self, path: Path, *, progress: Callable[[int], None] | None = None) -> Path:
        """Download a backup of the box to a new file, and check that it is complete.

        Raises:
            WrongUsage: the file exists.
            ApiError: the service refuses the request.
            Unreachable: the download broke off, or is not complete.
        """
        if path.exists():
            raise WrongUsage(f"{path} exists already. Name another file.")
        partial = path.with_name(f"{path.name}.part")
        try:
            try:
                download_once(self.http, "/v1/backup", partial, progress, timeout=TIMEOUT)
            except httpx.TransportError as error:
                raise Unreachable(f"The backup broke off ({type(error).__name__}).") from error
            if not is_complete(partial):
                raise Unreachable("The backup broke off. Try again; the box's log says why.")
            partial.rename(path)
        finally:
            partial.unlink(missing_ok=True)
        return path


def is_complete(path: Path) -> bool:
    """Return whether a backup ends with its manifest and has every part that this names."""
    found, manifest = list[dict[str, Any]](), None
    try:
        with tarfile.open(path, "r:") as tar:
            for entry in tar:
                file = tar.extractfile(entry)
                assert file is not None
                if entry.name == MANIFEST:
                    manifest = json.load(file)
                    continue
                digest, size = hashlib.sha256(), 0
                while chunk := file.read(CHUNK_BYTES):
                    digest.update(chunk)
                    size += len(chunk)
                found.append({"name": entry.name, "bytes": size, "sha256": digest.hexdigest()})
    except (tarfile.TarError, ValueError, EOFError, OSError):
        return False
    return isinstance(manifest, dict) and manifest["parts"] == found
