"""Tables as data sets: a CSV or parquet file with feature columns and a target column.

A row becomes an image of one pixel with a channel per column, so that operations per channel apply
per column. Axes: N rows, F features.
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

#: A table of this size is read within the time that the API waits.
MAX_CELLS = 20_000_000
MAX_CLASSES = 1_000


class TableRefused(Exception):
    """The file or a column cannot be used; `field` is the field of `dataset` that names it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True)
class Table:
    """The columns of a table that a job uses."""

    features: tuple[str, ...]
    #: float32 [N, F]
    values: np.ndarray
    #: int64 [N]; 0 for a regression.
    labels: np.ndarray
    #: float32 [N]; None for a classification.
    targets: np.ndarray | None
    class_names: tuple[str, ...]
    content_hash: str


def read_table(
    path: Path, *, target: str, features: Sequence[str] | None, is_number: bool
) -> Table:
    """Read a table.

    Args:
        path: a .csv or .parquet file; the first line of a CSV file has the names of the columns.
        target: the column to predict.
        features: the input columns; None for all other columns.
        is_number: whether the target is a number; otherwise its distinct values are the classes.

    Raises:
        DatasetMissing: the file does not exist.
        TableRefused: the file is damaged or too large, or a column is missing or unsuitable.
    """
    table, digest = _open(path)
    names = table.column_names
    if len(set(names)) < len(names):
        duplicate = next(name for name in names if names.count(name) > 1)
        raise TableRefused("file", f"{path.name} has two columns named {duplicate!r}")
    inputs = [name for name in names if name != target] if features is None else list(features)
    _check_columns(path, names, inputs, target)
    if table.num_rows * (len(inputs) + 1) > MAX_CELLS:
        size = f"{table.num_rows:,} rows of {len(inputs)} columns"
        raise TableRefused("file", f"{path.name} has {size}; {MAX_CELLS:,} cells are allowed")
    columns = [_numbers(table, name, "features") for name in inputs]
    values = np.stack(columns, axis=1) if table.num_rows else np.empty((0, len(inputs)))
    if is_number:
        targets = _numbers(table, target, "target")
        labels, class_names = np.zeros(len(targets), np.int64), ()
    else:
        targets = None
        labels, class_names = _classes(table, target)
    return Table(tuple(inputs), values, labels, targets, class_names, digest)


def as_dataset(table: Table) -> Dataset:
    """Return a table as a data set with images [N, F, 1, 1]."""
    return Dataset(
        name=TABLE.name,
        images=table.values[:, :, None, None],
        labels=table.labels,
        class_names=table.class_names,
        first_test=None,
        content_hash=table.content_hash,
        targets=table.targets,
    )


def _check_columns(path: Path, names: list[str], inputs: list[str], target: str) -> None:
    for field, columns in (("target", [target]), ("features", inputs)):
        for name in columns:
            if name not in names:
                available = ", ".join(names[:20])
                text = f"{name!r} is not a column of {path.name}, which has {available}"
                raise TableRefused(field, text)
    if target in inputs:
        raise TableRefused("features", f"{target!r} is the target, so it cannot be a feature")
    if len(set(inputs)) < len(inputs):
        raise TableRefused("features", "names a column twice")
    if not inputs:
        raise TableRefused("features", f"{path.name} has no other column than {target!r}")


def _open(path: Path) -> tuple[pa.Table, str]:
    try:
        content = path.read_bytes()
    except OSError as error:
        source = (TABLE.ways[0], f"has no file {path.name}")
        raise DatasetMissing(TABLE.name, [source], "Put the file there.") from error
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
    """Return a numeric column as float32 [N]; refuse missing and infinite values."""
    column = _complete_column(table, name, field)
    kind = column.type
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    if not (is_number or pa.types.is_boolean(kind)):
        raise TableRefused(
            field,
            f"column {name!r} has the type {kind}; it must be numeric. Leave it out, or convert "
            "its values to numbers",
        )
    with np.errstate(over="ignore"):  # values that do not fit are reported below
        values = column.cast(pa.float64(), safe=False).to_numpy().astype(np.float32)
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values))[0])
        raise TableRefused(field, f"column {name!r} is not finite as float32 in row {row + 1}")
    return values


def _classes(table: pa.Table, name: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return a column as class indices, and the sorted names of the classes."""
    column = _complete_column(table, name, "target")
    if pa.types.is_floating(column.type) or pa.types.is_decimal(column.type):
        raise TableRefused(
            "target",
            f"column {name!r} has the type {column.type}, which cannot be classes; use a loss for "
            "numbers, for example l2",
        )
    if pa.types.is_nested(column.type):
        raise TableRefused(
            "target", f"column {name!r} has the type {column.type}, which cannot be classes"
        )
    values = column.to_pylist()
    classes = sorted(set(values))
    if not 2 <= len(classes) <= MAX_CLASSES:
        raise TableRefused(
            "target",
            f"column {name!r} has {len(classes)} distinct values; 2 to {MAX_CLASSES:,} classes are "
            "allowed",
        )
    index_of = {value: index for index, value in enumerate(classes)}
    labels = np.fromiter((index_of[value] for value in values), np.int64, len(values))
    return labels, tuple(str(value) for value in classes)


def _complete_column(table: pa.Table, name: str, field: str) -> pa.ChunkedArray:
    column = table.column(name)
    if column.null_count:
        count = column.null_count
        raise TableRefused(field, f"column {name!r} is empty in {count} of {len(column)} rows")
    return column
