"""An opened upload: pictures with their labels, or a table."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from worker.data.dataset import Bytes
from worker.data.uploads.faults import Fault


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of an upload that is not read yet."""

    file: str
    label: int
    #: TRAIN, VALIDATION or TEST of `class_folders`.
    split: int
    #: Size of the file; 0 for a part of an array.
    bytes: int
    #: Returns the content of the file, or pixels [H, W] or [H, W, C]; raises BadFile.
    read: Callable[[], "bytes | Bytes"]


class ImageUpload(Protocol):
    """Pictures with labels, in a fixed order: by split, and in it by class and name.

    The pictures of an array keep its order.
    """

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes, by label."""
        ...

    @property
    def has_splits(self) -> bool:
        """Whether the set has its own splits."""
        ...

    @property
    def faults(self) -> Sequence[Fault]:
        """Files that belong to no class."""
        ...

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """The labels of all pictures, [N]."""
        ...

    @property
    def splits(self) -> npt.NDArray[np.int8]:
        """The splits of all pictures, [N]."""
        ...

    def __len__(self) -> int: ...

    def pictures(self) -> Iterator[Picture]:
        """Yield all pictures in order; they may be read in threads."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...


@dataclass(frozen=True)
class TableUpload:
    """A table, which is opened, read and closed by its check.

    Args:
        path: of the file.
        target: the column to predict; None for the last column.
    """

    path: Path
    target: str | None

    def close(self) -> None:
        """Do nothing; as for images."""
