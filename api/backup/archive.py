"""The form of a backup: a tar file of parts, whose last part is a manifest with all digests.

manifest.json               format, revision of the database, tables and parts
rows/<table>/<n>.jsonl.gz   rows of a table, one JSON array a line
storage/…                   files below the storage: checkpoints, results, logs, weights
uploads/…                   uploaded data sets
"""

import hashlib
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

from shared.errors import DamagedFile

FORMAT, FORM = 1, tarfile.PAX_FORMAT
MANIFEST = "manifest.json"
ROWS, STORAGE, UPLOADS = "rows", "storage", "uploads"
CHUNK_BYTES = 2**20
#: Far more than a manifest of a million files has.
MAX_MANIFEST_BYTES = 2**30


class ArchiveWriter:
    """Writes parts one after the other, to a pipe as well, and notes their digests."""

    def __init__(self, target: BinaryIO) -> None:
        self._tar = tarfile.open(fileobj=target, mode="w|", format=FORM)  # noqa: SIM115
        self.parts: list[dict[str, Any]] = []

    def add(self, name: str, file: BinaryIO, size: int) -> None:
        """Add the first bytes of a file; a file that has become shorter is filled up with zeros."""
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = size, 0o600
        part = _Hashed(file)
        self._tar.addfile(entry, cast("Any", part))
        self.parts.append({"name": name, "bytes": size, "sha256": part.digest.hexdigest()})

    def close(self, manifest: dict[str, Any]) -> None:
        """Write the manifest, without which a backup is incomplete."""
        text = json.dumps({"format": FORMAT, **manifest, "parts": self.parts}, indent=1).encode()
        entry = tarfile.TarInfo(MANIFEST)
        entry.size, entry.mode = len(text), 0o600
        self._tar.addfile(entry)
        assert self._tar.fileobj is not None
        padding = -len(text) % tarfile.BLOCKSIZE
        self._tar.fileobj.write(text + bytes(padding))
        self._tar.offset += len(text) + padding
        self._tar.close()


class _Hashed:
    """A file that is hashed while it is read, with zeros after its end."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.digest = hashlib.sha256()

    def read(self, size: int) -> bytes:
        data = self.file.read(size)
        data += bytes(size - len(data))
        self.digest.update(data)
        return data


def read_manifest(path: Path) -> dict[str, Any]:
    """Check every byte of a backup and return its manifest.

    Raises:
        DamagedFile: it is no backup, is incomplete, or differs from what was written.
    """
    found, manifest = list[dict[str, Any]](), None
    try:
        for entry, file in _entries(path):
            if manifest is not None:
                raise DamagedFile(f"{path} is damaged: {entry.name} follows the manifest.")
            if entry.name == MANIFEST:
                manifest = json.loads(file.read(MAX_MANIFEST_BYTES))
                continue
            digest, left = hashlib.sha256(), entry.size
            while left and (chunk := file.read(min(CHUNK_BYTES, left))):
                digest.update(chunk)
                left -= len(chunk)
            part = {"name": entry.name, "bytes": entry.size - left, "sha256": digest.hexdigest()}
            found.append(part)
    except (tarfile.TarError, ValueError, EOFError) as error:
        raise DamagedFile(
            f"{path} is no backup of Trainshed, or is damaged or truncated ({error}). "
            "Use another backup."
        ) from error
    if not isinstance(manifest, dict):
        raise DamagedFile(f"{path} is truncated: it has no {MANIFEST}. Use another backup.")
    _compare(path, manifest.get("parts"), found)
    if manifest.get("format") != FORMAT:
        raise DamagedFile(
            f"{path} has the format {manifest.get('format')!r}; this Trainshed reads {FORMAT}. "
            "Restore it with the version that made it."
        )
    return manifest


def _compare(path: Path, written: Any, found: list[dict[str, Any]]) -> None:
    if written == found:
        return
    expected = {part["name"]: part for part in written or ()}
    wrong = [part["name"] for part in found if expected.get(part["name"]) != part]
    wrong += sorted(expected.keys() - {part["name"] for part in found})
    named = ", ".join(wrong[:3]) or "its order"
    raise DamagedFile(f"{path} is damaged: {named} differs from the manifest. Use another backup.")


def read_parts(path: Path) -> Iterator[tuple[str, int, BinaryIO]]:
    """Yield the name, size and content of each part of a backup that has been checked."""
    for entry, file in _entries(path):
        if entry.name != MANIFEST:
            yield entry.name, entry.size, file


def _entries(path: Path) -> Iterator[tuple[tarfile.TarInfo, BinaryIO]]:
    with tarfile.open(path, "r:") as tar:
        for entry in tar:
            name = PurePosixPath(entry.name)
            if not entry.isreg() or name.is_absolute() or ".." in name.parts:
                raise tarfile.TarError(f"{entry.name!r} is not the name of a part")
            file = tar.extractfile(entry)
            assert file is not None
            yield entry, cast("BinaryIO", file)
