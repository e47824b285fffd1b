"""A zip of class folders."""

import os
from collections.abc import Iterator
from functools import partial

import numpy as np

from worker.data.uploads import zip_file
from worker.data.uploads.class_folders import arrange
from worker.data.uploads.upload import Picture
from worker.data.uploads.zip_entries import Entry


class ZipUpload:
    """The pictures of a zip of class folders.

    Args:
        descriptor: of the open archive; it belongs to this object.
        entries: the files of the archive.
    """

    def __init__(self, descriptor: int, entries: list[Entry]) -> None:
        self._descriptor, self._entries = descriptor, entries
        layout = arrange([entry.name for entry in entries])
        self.class_names, self.has_splits = layout.class_names, layout.has_splits
        self.faults, self._placed = layout.faults, layout.placed
        self.labels = np.array([placed.label for placed in layout.placed], np.int64)
        self.splits = np.array([placed.split for placed in layout.placed], np.int8)

    def __len__(self) -> int:
        return len(self._placed)

    def pictures(self) -> Iterator[Picture]:
        """Yield all pictures in order."""
        for placed in self._placed:
            entry = self._entries[placed.index]
            read = partial(zip_file.read, self._descriptor, entry)
            yield Picture(entry.name, placed.label, placed.split, entry.bytes, read)

    def close(self) -> None:
        """Close the archive."""
        os.close(self._descriptor)
