"""Tables as data sets: a CSV or parquet file, some of whose columns go in and one is asked for.

A row is an image of one pixel with a channel a column, so that everything that works by channel
works by column. Axes: N rows, F columns that go in.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

from shared.datasets import TABLE
from worker.data.dataset import Dataset
from worker.data.errors import DatasetMissing

#: So that a table is read in the time that the API waits.
LARGEST_CELLS = 20_000_000
MOST_CLASSES = 1_000


class TableRefused(Exception):
    """A column cannot be used; `field` is what of the specification names it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True)
class Table:
    """A table as it is trained with."""

    features: tuple[str, ...]
    #: float32 [N, F]
    values: np.ndarray
    #: int64 [N], 0 where a number is asked for.
    labels: np.ndarray
    #: float32 [N], or None where classes are asked for.
    targets: np.ndarray | None
    class_names: tuple[str, ...]
    content_hash: str


def read_table(
    path: Path, *, target: str, features: Sequence[str] | None, is_number: bool
) -> Table:
    """Read a table.

    Args:
        path: of a .csv or .parquet file; a CSV has its columns' names in its first line.
        target: the column that is asked for.
        features: the columns that go in; None for all others.
        is_number: whether the target is a number; else its values are classes, sorted.

    Raises:
        DatasetMissing: there is no such file.
        TableRefused: it is damaged, too large, or a column is not there or holds what cannot be
            trained with.
    """
    table, digest = _open(path)
    names = table.column_names
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise TableRefused("file", f"{path.name} has two columns of the name {twice!r}")
    chosen = [name for name in names if name != target] if features is None else list(features)
    for field, asked in (("target", [target]), ("features", chosen)):
        for name in asked:
            if name not in names:
                known = ", ".join(names[:20])
                raise TableRefused(field, f"{name!r} is no column of {path.name}; it has {known}")
    if target in chosen:
        raise TableRefused("features", f"{target!r} is asked for, so it cannot go in as well")
    if len(set(chosen)) < len(chosen):
        raise TableRefused("features", "names a column twice")
    if not chosen:
        raise TableRefused("features", f"{path.name} has no column beside {target!r} to go in")
    if table.num_rows * (len(chosen) + 1) > LARGEST_CELLS:
        size = f"{table.num_rows:,} rows of {len(chosen)} columns"
        raise TableRefused("file", f"{path.name} has {size}; {LARGEST_CELLS:,} cells are allowed")
    columns = [_numbers(table, name, "features") for name in chosen]
    values = np.stack(columns, axis=1) if table.num_rows else np.empty((0, len(chosen)))
    if is_number:
        numbers = _numbers(table, target, "target")
        labels, class_names = np.zeros(len(numbers), np.int64), ()
    else:
        numbers = None
        labels, class_names = _classes(table, target)
    return Table(tuple(chosen), values, labels, numbers, class_names, digest)


def as_dataset(table: Table) -> Dataset:
    """A table as a data set: [N, F, 1, 1]."""
    return Dataset(
        name=TABLE.name,
        images=table.values[:, :, None, None],
        labels=table.labels,
        class_names=table.class_names,
        first_test=None,
        content_hash=table.content_hash,
        targets=table.targets,
    )


def _open(path: Path) -> tuple[pa.Table, str]:
    try:
        content = path.read_bytes()
    except OSError as error:
        way = (TABLE.ways[0], f"there is no file {path.name}")
        raise DatasetMissing(TABLE.name, [way], "Put the file there.") from error
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    source = pa.BufferReader(content)
    try:
        read = csv.read_csv if path.suffix == ".csv" else parquet.read_table
        return read(source), digest
    except pa.ArrowException as error:
        first = str(error).split("\n", 1)[0][:200]
        kind = path.suffix.removeprefix(".")
        raise TableRefused("file", f"{path.name} cannot be read as {kind}: {first}") from error


def _numbers(table: pa.Table, name: str, field: str) -> np.ndarray:
    """A column as float32 [N]; whole, finite."""
    column = _whole(table, name, field)
    kind = column.type
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    if not (is_number or pa.types.is_boolean(kind)):
        raise TableRefused(
            field,
            f"column {name!r} holds {kind}, and numbers are needed: leave it out, or write "
            "its values as numbers",
        )
    with np.errstate(over="ignore"):  # what does not fit is told below
        values = column.cast(pa.float64(), safe=False).to_numpy().astype(np.float32)
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values))[0])
        raise TableRefused(field, f"column {name!r} is not finite (as float32) in row {row + 1}")
    return values


def _classes(table: pa.Table, name: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """A column as class indices, and the classes' names, sorted."""
    column = _whole(table, name, "target")
    if pa.types.is_floating(column.type) or pa.types.is_decimal(column.type):
        raise TableRefused(
            "target",
            f"column {name!r} holds {column.type}, which are no classes: take a loss for "
            "numbers, such as l2",
        )
    if pa.types.is_nested(column.type):
        raise TableRefused("target", f"column {name!r} holds {column.type}, which are no classes")
    values = column.to_pylist()
    found = set(values)
    if not 2 <= len(found) <= MOST_CLASSES:
        raise TableRefused(
            "target",
            f"column {name!r} has {len(found)} different values; classes are 2 to {MOST_CLASSES:,}",
        )
    order = sorted(found)
    place = {value: index for index, value in enumerate(order)}
    labels = np.fromiter((place[value] for value in values), np.int64, len(values))
    return labels, tuple(str(value) for value in order)


def _whole(table: pa.Table, name: str, field: str) -> pa.ChunkedArray:
    column = table.column(name)
    if column.null_count:
        count = column.null_count
        raise TableRefused(field, f"column {name!r} is empty in {count} of {len(column)} rows")
    return column
