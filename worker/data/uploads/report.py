"""What the check of an upload found."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from worker.data.uploads.faults import Fault
from worker.data.uploads.warnings import UploadWarning

Size = tuple[int, int]


@dataclass(frozen=True)
class ClassCount:
    """The images of a class; by split where the set has its own splits."""

    name: str
    images: int
    train: int | None = None
    validation: int | None = None
    test: int | None = None


@dataclass(frozen=True)
class Report:
    """The facts about an upload that has become a data set.

    Args:
        kind: images or table.
        task: classification or regression.
        images: number of images, or of rows.
        classes: in the order of the labels.
        image_sizes: width and height: `min`, `median` and `max`, each by itself.
        channels: 1 if every image is grey, otherwise 3.
        mean: per channel as fractions of 255; every image counts the same.
        std: likewise.
        warnings: what is probably a mistake.
        rejected: files that were left out.
        content_hash: of names, labels, splits and bytes; of a table the hash of its file.
        target: of a table: the column to predict.
        features: of a table: the other columns, without an index.
    """

    kind: str
    task: str
    images: int
    classes: Sequence[ClassCount]
    image_sizes: dict[str, Size] | None
    channels: int | None
    mean: Sequence[float] | None
    std: Sequence[float] | None
    warnings: Sequence[UploadWarning]
    rejected: Sequence[Fault]
    content_hash: str
    target: str | None = None
    features: Sequence[str] | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the facts as the API shows them."""
        return asdict(self)
