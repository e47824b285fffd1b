"""A table as an upload: a CSV or parquet file, described by the column that is to be predicted."""

from collections.abc import Sequence

import numpy as np

from shared.columns import name_problem
from shared.spec.fields import MAX_FEATURES
from worker.data.errors import DatasetMissing
from worker.data.table.column import Column
from worker.data.table.faults import MAX_LISTED, TableFault, TableRefused, quoted, unknown_name
from worker.data.table.labels import read_labels
from worker.data.table.numeric import read_numbers
from worker.data.table.opening import OpenFile, open_table
from worker.data.table.reading import MAX_CELLS, MIN_ROWS
from worker.data.table.selection import select
from worker.data.uploads.faults import UploadRejected, fault
from worker.data.uploads.report import ClassCount, Report
from worker.data.uploads.upload import TableUpload
from worker.data.uploads.warnings import UploadWarning

#: The whole file is in memory while it is checked, next to its columns.
MAX_BYTES = 200 * 2**20
#: A column of whole numbers with more distinct values is not taken for classes.
MAX_NUMERIC_CLASSES = 20


def check_table(upload: TableUpload) -> Report:
    """Read a table and return its facts.

    Text, and whole numbers with at most 20 distinct values, are classes; other numbers make a
    regression. This only describes the table: the loss of a job decides what it trains.

    Raises:
        UploadRejected: the file cannot be read, or the target has values that cannot be predicted.
    """
    size = upload.path.stat().st_size
    if size > MAX_BYTES:
        detail = f"The table has {size:,} bytes; at most {MAX_BYTES:,} are allowed"
        raise UploadRejected([fault("", detail)])
    try:
        return _report(upload)
    except TableRefused as error:
        raise UploadRejected([fault("", each.detail) for each in error.faults]) from error
    except DatasetMissing as error:
        raise UploadRejected([fault("", str(error))]) from error


def _report(upload: TableUpload) -> Report:
    file, content_hash = open_table(upload.path)
    if len(file.names) > MAX_FEATURES + 1:
        text = f"The table has {len(file.names):,} columns; {MAX_FEATURES + 1:,} are allowed"
        raise TableRefused(TableFault("file", text))
    target = _target(file, upload.target)
    if file.rows is not None:
        _check_cells(file.rows, len(file.names))
    columns = [
        Column(name, values, file.is_untyped, file.row_numbers)
        for name, values in zip(file.names, file.read(range(len(file.names))), strict=True)
    ]
    rows = len(columns[0].values)
    _check_cells(rows, len(columns))
    if rows < MIN_ROWS:
        count = "1 row" if rows == 1 else f"{rows} rows"
        text = f"The table has {count} of data; it must have at least {MIN_ROWS}"
        raise TableRefused(TableFault("file", text))
    classes = _classes(columns[target])
    chosen = select(file.names, file.index_columns, target=file.names[target], features=None)
    inputs = [columns[position] for position in chosen.features]
    if not inputs:
        raise TableRefused(*chosen.faults)
    return Report(
        kind="table",
        task="regression" if classes is None else "classification",
        images=rows,
        classes=classes or (),
        image_sizes=None,
        channels=None,
        mean=None,
        std=None,
        warnings=_unusable([each.detail for each in chosen.faults], inputs),
        rejected=(),
        content_hash=content_hash,
        target=file.names[target],
        features=[column.name for column in inputs],
    )


def _check_cells(rows: int, columns: int) -> None:
    if rows * columns > MAX_CELLS:
        text = (
            f"The table has {rows:,} rows of {columns:,} columns; {MAX_CELLS:,} cells are allowed"
        )
        raise TableRefused(TableFault("file", text))


def _target(file: OpenFile, name: str | None) -> int:
    """Return the position of the target, which must be there exactly once."""
    if name is None:
        usable = [p for p in range(len(file.names)) if p not in file.index_columns]
        if len(usable) < 2:
            text = "The table needs at least two columns: features, and a target as the last"
            raise TableRefused(TableFault("file", text))
        return _named(usable[-1], file.names[usable[-1]])
    count = file.names.count(name)
    if count != 1:
        what = "comes twice" if count else f"is not a column.{unknown_name(name, file.names)}"
        raise TableRefused(TableFault("target", f"The target {quoted(name)} {what}"))
    return _named(file.names.index(name), name)


def _named(position: int, name: str) -> int:
    """Check that a specification can name the target."""
    problem = name_problem(name)
    if problem is not None:
        text = f"The target, column {position + 1}, {problem}. Rename it, or name another target"
        raise TableRefused(TableFault("target", text))
    return position


def _classes(column: Column) -> list[ClassCount] | None:
    """Return the classes of a target; None if it is a number.

    Raises:
        TableRefused: its values are neither numbers nor classes.
    """
    values_N, number_problems = read_numbers(column)
    is_number = not number_problems
    if is_number and len(np.unique(values_N)) > MAX_NUMERIC_CLASSES:
        return None
    labels = read_labels(column)
    if labels.problems and is_number:
        return None
    if labels.problems:
        text = f"The target {quoted(column.name)} {', and '.join(labels.problems)}"
        raise TableRefused(TableFault("target", text))
    counts = np.bincount(labels.labels, minlength=len(labels.class_names)).tolist()
    return [ClassCount(n, c) for n, c in zip(labels.class_names, counts, strict=True)]


def _unusable(named_badly: Sequence[str], columns: Sequence[Column]) -> list[UploadWarning]:
    """Return a warning about columns that cannot be features as they are."""
    bad = list(named_badly) + [
        f"{column} {', and '.join(found)}"
        for column in columns
        if (found := read_numbers(column)[1])
    ]
    if not bad:
        return []
    more = f"; and {len(bad) - MAX_LISTED} more" if len(bad) > MAX_LISTED else ""
    detail = f"Columns that cannot be features: {'; '.join(bad[:MAX_LISTED])}{more}"
    return [UploadWarning("unusable_columns", detail)]
