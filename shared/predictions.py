"""The file of the k most probable classes of every test sample, read in pages without numpy.

All values are little-endian. The header is `MAGIC, samples, k` (uint32 each). Each sample has a
record: its index in the data set (uint32), its label (uint32), k classes (uint32) and k
probabilities (float32), from the highest score to the lowest. The lowest class with the highest
score comes first; after it, the label comes first among equal scores. Where a score is not finite,
all probabilities of the sample are NaN.
"""

import math
import struct
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from heapq import nsmallest
from pathlib import Path
from typing import Any

MAGIC = 0x54_53_50_31
HEADER = struct.Struct("<III")
#: Records that are in memory at once while a file is searched.
CHUNK = 4096


@dataclass(frozen=True)
class Prediction:
    """The prediction of a checkpoint for one sample."""

    sample: int
    label: int
    classes: tuple[int, ...]
    probabilities: tuple[float, ...]

    @property
    def is_right(self) -> bool:
        """Whether the label is the first class with the highest score; all must be finite."""
        return self.classes[0] == self.label and self.is_finite

    @property
    def is_finite(self) -> bool:
        """Whether all scores are finite; otherwise nothing is predicted."""
        return math.isfinite(self.probabilities[0])


def record_format(k: int) -> str:
    """Return the `struct` format of the record of a sample."""
    return f"<II{k}I{k}f"


def write(path: Path, predictions: list[Prediction]) -> None:
    """Write all predictions of a split, which must have the same number of classes."""
    k = len(predictions[0].classes) if predictions else 0
    record = struct.Struct(record_format(k))
    with path.open("wb") as file:
        file.write(HEADER.pack(MAGIC, len(predictions), k))
        for prediction in predictions:
            sample, label = prediction.sample, prediction.label
            file.write(record.pack(sample, label, *prediction.classes, *prediction.probabilities))


def read(path: Path, *, first: int = 0, limit: int = 100) -> list[Prediction]:
    """Return at most `limit` predictions, starting at position `first`.

    Raises:
        ValueError: this is not a file of predictions.
    """
    return [_to_prediction(values) for values in _read_records(path, first, limit)]


def read_samples(path: Path, samples: Collection[int]) -> list[Prediction]:
    """Return the predictions of these samples, in the order of the file, without missing samples.

    Raises:
        ValueError: this is not a file of predictions.
    """
    return [_to_prediction(values) for values in _read_records(path) if values[0] in samples]


def most_confident(
    path: Path, is_wanted: Callable[[Prediction], bool], *, first: int = 0, limit: int = 100
) -> tuple[list[Prediction], int]:
    """Return the wanted predictions with the highest probabilities, and how many are wanted.

    Predictions whose scores are not finite come last; equal probabilities are in the order of the
    file.

    Args:
        path: the file.
        is_wanted: whether a prediction is counted.
        first: how many to leave out from the beginning.
        limit: how many to return.

    Raises:
        ValueError: this is not a file of predictions.
    """
    count = 0

    def wanted() -> Iterator[tuple[float, int, Prediction]]:
        nonlocal count
        for prediction in map(_to_prediction, _read_records(path)):
            if is_wanted(prediction):
                key = -prediction.probabilities[0] if prediction.is_finite else 1.0
                yield key, count, prediction
                count += 1

    found = nsmallest(first + limit, wanted(), key=lambda entry: entry[:2])
    return [prediction for *_, prediction in found[first:]], count


def _read_records(path: Path, first: int = 0, limit: int = 2**32) -> Iterator[tuple[Any, ...]]:
    with path.open("rb") as file:
        header = file.read(HEADER.size)
        magic, samples, k = HEADER.unpack(header) if len(header) == HEADER.size else (0, 0, 0)
        if magic != MAGIC:
            raise ValueError(f"{path.name} does not contain predictions")
        record = struct.Struct(record_format(k))
        if path.stat().st_size != HEADER.size + samples * record.size:
            raise ValueError(f"{path.name} does not have the size of {samples} predictions")
        file.seek(HEADER.size + first * record.size)
        left = max(0, min(limit, samples - first))
        while left:
            count = min(left, CHUNK)
            yield from record.iter_unpack(file.read(count * record.size))
            left -= count


def _to_prediction(values: tuple[Any, ...]) -> Prediction:
    sample, label, *rest = values
    k = len(rest) // 2
    return Prediction(sample, label, tuple(rest[:k]), tuple(rest[k:]))
