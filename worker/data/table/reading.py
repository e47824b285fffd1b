"""Reads the columns of a table that a job uses, and checks all values.

A row becomes an image of one pixel with a channel for each feature, so that operations per channel
apply per column. Axes: N rows, F features.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from worker.data.dataset import Dataset
from worker.data.table.column import Column
from worker.data.table.faults import (
    TableFault,
    TableRefused,
    TableWarning,
    quoted,
    visible,
)
from worker.data.table.labels import read_labels
from worker.data.table.numeric import read_numbers
from worker.data.table.opening import OpenFile, open_table
from worker.data.table.selection import Selection, select

#: A table of this size is read within the time that the API waits.
MAX_CELLS = 20_000_000
#: One row for each split.
MIN_ROWS = 3
#: Features that a fault describes, and further features that it names.
MAX_DESCRIBED, MAX_NAMED = 10, 20
NUMBERS_ONLY = "A feature must be a finite number in every row"
CHOICE = "Correct the file, or name only other columns in `features`"


@dataclass(frozen=True)
class Table:
    """The columns of a table that a job uses."""

    features: tuple[str, ...]
    #: float64 [N, F]
    values: np.ndarray
    #: int64 [N]; 0 for a regression.
    labels: np.ndarray
    #: float64 [N]; None for a classification.
    targets: np.ndarray | None
    class_names: tuple[str, ...]
    content_hash: str
    warnings: tuple[TableWarning, ...] = ()


def read_table(
    path: Path, *, target: str, features: Sequence[str] | None, is_number: bool
) -> Table:
    """Read a table.

    Args:
        path: a .csv or .parquet file; the first row of a CSV file has the names of the columns.
        target: the column to predict.
        features: the input columns, in the order of the network's inputs; None for all columns but
            the target and the index.
        is_number: whether the target is a number; otherwise its distinct values are the classes.

    Raises:
        DatasetMissing: the file does not exist.
        TableRefused: with every fault of the file and its columns.
    """
    file, content_hash = open_table(path)
    chosen = select(file.names, file.index_columns, target=target, features=features)
    columns = _columns(file, chosen, path.name)
    rows = len(columns[0].values) if columns else MIN_ROWS
    faults = list(chosen.faults)
    if rows < MIN_ROWS:
        text = f"{quoted(path.name)} has {'1 row' if rows == 1 else f'{rows} rows'} of data; "
        text += f"it must have at least {MIN_ROWS} rows, one for each split"
        faults.append(TableFault("file", text))
    target_column = columns.pop() if chosen.target is not None and columns else None
    values, feature_faults = _features(columns, chosen.fields)
    faults += feature_faults
    outputs = _Target(np.zeros(rows, np.int64))
    if target_column is not None and rows:
        outputs, target_faults = (_number if is_number else _classes)(target_column)
        faults += target_faults
    if faults:
        raise TableRefused(*faults)
    return Table(
        features=tuple(column.name for column in columns),
        values=values,
        labels=outputs.labels,
        targets=outputs.targets,
        class_names=outputs.class_names,
        content_hash=content_hash,
        warnings=(*chosen.warnings, *outputs.warnings),
    )


def as_dataset(table: Table, name: str) -> Dataset:
    """Return a table as a data set with images [N, F, 1, 1]."""
    return Dataset(
        name=name,
        images=table.values[:, :, None, None],
        labels=table.labels,
        class_names=table.class_names,
        first_test=None,
        content_hash=table.content_hash,
        targets=table.targets,
        features=table.features,
    )


@dataclass(frozen=True)
class _Target:
    """What `Table` takes from the target column."""

    labels: np.ndarray
    targets: np.ndarray | None = None
    class_names: tuple[str, ...] = ()
    warnings: tuple[TableWarning, ...] = ()


def _columns(file: OpenFile, chosen: Selection, name: str) -> list[Column]:
    """Read the chosen columns, the target last; refuse what would take too long."""
    positions = [*chosen.features, *([] if chosen.target is None else [chosen.target])]
    if not positions:
        return []
    if file.rows is not None:
        _check_size(name, file.rows, len(positions))
    stored = file.read(positions)
    _check_size(name, len(stored[0]), len(positions))
    return [
        Column(file.names[position], values, file.is_untyped, file.row_numbers)
        for position, values in zip(positions, stored, strict=True)
    ]


def _check_size(name: str, rows: int, columns: int) -> None:
    if rows * columns > MAX_CELLS:
        text = f"{quoted(name)} has {rows:,} rows of {columns:,} columns; {MAX_CELLS:,} cells are "
        raise TableRefused(TableFault("file", f"{text}allowed. Name fewer columns in `features`"))


def _features(
    columns: Sequence[Column], fields: Sequence[str]
) -> tuple[np.ndarray, list[TableFault]]:
    """Return the features as float64 [N, F], and a fault for each field that names some of them."""
    values_NF = np.empty((len(columns[0].values) if columns else 0, len(columns)))
    by_field = dict[str, list[tuple[Column, str]]]()
    for index, (column, field) in enumerate(zip(columns, fields, strict=True)):
        values_NF[:, index], problems = read_numbers(column)
        if problems:
            by_field.setdefault(field, []).append((column, _and(problems)))
    return values_NF, [TableFault(field, _described(bad)) for field, bad in by_field.items()]


def _described(bad: Sequence[tuple[Column, str]]) -> str:
    described = "; ".join(f"{column} {problem}" for column, problem in bad[:MAX_DESCRIBED])
    rest = [quoted(column.name) for column, _ in bad[MAX_DESCRIBED:]]
    if rest:
        more = len(rest) - MAX_NAMED
        others = ", ".join(rest[:MAX_NAMED]) + (f" and {more:,} more" if more > 0 else "")
        described += f"; and so for {len(rest):,} other columns: {others}"
    return f"{described}. {NUMBERS_ONLY}. {CHOICE}"


def _number(column: Column) -> tuple[_Target, list[TableFault]]:
    values_N, problems = read_numbers(column)
    target = _Target(np.zeros(len(values_N), np.int64), values_N)
    if not problems:
        return target, []
    detail = f"{column} {_and(problems)}. The target of a regression must be a finite number in "
    return target, [TableFault("target", f"{detail}every row; for classes, take another loss")]


def _classes(column: Column) -> tuple[_Target, list[TableFault]]:
    labels = read_labels(column)
    target = _Target(labels.labels, None, labels.class_names, _warnings(labels.similar))
    if not labels.problems:
        return target, []
    return target, [TableFault("target", f"{column} {_and(labels.problems)}")]


def _warnings(similar: Sequence[str]) -> tuple[TableWarning, ...]:
    if not similar:
        return ()
    names = ", ".join(f'"{visible(name)}"' for name in similar[:MAX_NAMED])
    detail = f"the classes {names} differ only in case or in the spaces around them"
    return (TableWarning("target", detail, "Write them alike if they are the same class."),)


def _and(problems: Sequence[str]) -> str:
    return ", and ".join(problems)
