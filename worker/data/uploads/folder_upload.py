"""Class folders, wherever their files are: in a zip archive or in a directory of this machine."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from worker.data.uploads.class_folders import arrange
from worker.data.uploads.faults import Fault
from worker.data.uploads.upload import Picture


@dataclass(frozen=True)
class File:
    """A file that is not read yet."""

    #: With slashes, in Unicode's composed form.
    path: str
    bytes: int


class FolderUpload:
    """The pictures of class folders.

    Args:
        files: the files in all folders.
        read: position in `files` → content; raises BadFile. It is called in threads.
        close: frees what `read` needs.
        faults: of files that were found and left out.
    """

    def __init__(
        self,
        files: Sequence[File],
        read: Callable[[int], bytes],
        close: Callable[[], None],
        faults: Sequence[Fault] = (),
    ) -> None:
        self._files, self._read, self._close = files, read, close
        layout = arrange([file.path for file in files])
        self.class_names, self.has_splits = layout.class_names, layout.has_splits
        self.faults, self._placed = [*faults, *layout.faults], layout.placed
        self.labels = np.array([placed.label for placed in layout.placed], np.int64)
        self.splits = np.array([placed.split for placed in layout.placed], np.int8)

    def __len__(self) -> int:
        return len(self._placed)

    def pictures(self) -> Iterator[Picture]:
        """Yield all pictures in order."""
        for placed in self._placed:
            file = self._files[placed.index]
            read = partial(self._read, placed.index)
            yield Picture(file.path, placed.label, placed.split, file.bytes, read)

    def close(self) -> None:
        """Close the files."""
        self._close()
