"""The file of the most probable classes of every test sample, readable in pages without numpy.

Little-endian: a header of `MAGIC, samples, k` (uint32 each), then a record a sample:
the sample's index in the data set (uint32), its label (uint32), k classes (uint32), k
probabilities (float32), both from the highest score down, the label first among equals. A sample
with a score that is not finite has no probabilities: they are NaN.
"""

import math
import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAGIC = 0x54_53_50_31
HEADER = struct.Struct("<III")


@dataclass(frozen=True)
class Prediction:
    """What a checkpoint says of one sample."""

    sample: int
    label: int
    classes: tuple[int, ...]
    probabilities: tuple[float, ...]

    @property
    def is_right(self) -> bool:
        """Whether no class scores more than the label and every score is finite."""
        return self.classes[0] == self.label and math.isfinite(self.probabilities[0])


def record_format(k: int) -> str:
    """The `struct` format of one sample's record."""
    return f"<II{k}I{k}f"


def write(path: Path, predictions: list[Prediction]) -> None:
    """Write all predictions of a split; each has the same number of classes."""
    k = len(predictions[0].classes) if predictions else 0
    record = struct.Struct(record_format(k))
    with path.open("wb") as file:
        file.write(HEADER.pack(MAGIC, len(predictions), k))
        for one in predictions:
            file.write(record.pack(one.sample, one.label, *one.classes, *one.probabilities))


def read(path: Path, *, first: int = 0, limit: int = 100) -> list[Prediction]:
    """At most `limit` predictions from position `first` on.

    Raises:
        ValueError: the file is not one of ours.
    """
    return [_prediction(values) for values in _records(path, first, limit)]


def read_samples(path: Path, samples: Collection[int]) -> list[Prediction]:
    """The predictions of these samples, in the order of the file; samples it has not are left out.

    Raises:
        ValueError: the file is not one of ours.
    """
    return [_prediction(values) for values in _records(path) if values[0] in samples]


def _records(path: Path, first: int = 0, limit: int = 2**32) -> Iterator[tuple[Any, ...]]:
    with path.open("rb") as file:
        magic, samples, k = HEADER.unpack(file.read(HEADER.size))
        if magic != MAGIC:
            raise ValueError(f"{path.name} does not hold predictions")
        record = struct.Struct(record_format(k))
        file.seek(HEADER.size + first * record.size)
        content = file.read(max(0, min(limit, samples - first)) * record.size)
    return record.iter_unpack(content)


def _prediction(values: tuple[Any, ...]) -> Prediction:
    sample, label, *rest = values
    k = len(rest) // 2
    return Prediction(sample, label, tuple(rest[:k]), tuple(rest[k:]))
