"""A folder as the bytes of a zip archive, made while they are sent: nothing is written to disk."""

import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

CHUNK_BYTES = 2**20
#: Of every entry: the archive must not depend on when the files were changed.
DATE = (1980, 1, 1, 0, 0, 0)


def size_of(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    return sum(path.stat().st_size for path in _files(folder))


def zip_chunks(folder: Path, progress: Callable[[int], object]) -> Iterator[bytes]:
    """Yield a zip archive of a folder. Pictures are stored as they are: they are compressed.

    Args:
        folder: its files and folders, without links and names that begin with a dot.
        progress: called with the bytes of the files so far.
    """
    buffer, done = _Buffer(), 0
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path in _files(folder):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), DATE)
            entry.file_size = path.stat().st_size
            entry.external_attr = 0o100644 << 16
            with path.open("rb") as source, archive.open(entry, "w") as target:
                while chunk := source.read(CHUNK_BYTES):
                    target.write(chunk)
                    done += len(chunk)
                    yield buffer.take()
                    progress(done)
            yield buffer.take()
    yield buffer.take()


class _Buffer:
    """What an archive has written; without `seek`, so that nothing is written twice."""

    def __init__(self) -> None:
        self._parts = bytearray()

    def write(self, data: bytes) -> int:
        self._parts += data
        return len(data)

    def flush(self) -> None:
        """Do nothing: `take` returns everything."""

    def close(self) -> None:
        """Do nothing; as for a file."""

    def take(self) -> bytes:
        taken = bytes(self._parts)
        self._parts.clear()
        return taken


def _files(folder: Path) -> Iterator[Path]:
    for directory, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(directory, name)
            if not name.startswith(".") and path.is_file() and not path.is_symlink():
                yield path
