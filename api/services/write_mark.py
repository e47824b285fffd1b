"""A mark of the last write of all processes of the API on this host, in memory that they share."""

import mmap
import os
from pathlib import Path

#: Two writes have the same mark once in 2¹²⁸, also where their bytes are mixed.
BYTES = 16


class WriteMark:
    """A mark that each write replaces.

    Args:
        path: of the file, on a disk of this host. It keeps its mark when the processes end.

    Raises:
        OSError: the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            os.ftruncate(file, BYTES)
            self._shared = mmap.mmap(file, BYTES)
        finally:
            os.close(file)

    def replace(self) -> None:
        """Replace the mark, after a write and before anybody learns of it."""
        self._shared[:] = os.urandom(BYTES)

    def current(self) -> bytes:
        """Return the mark."""
        return self._shared[:]
