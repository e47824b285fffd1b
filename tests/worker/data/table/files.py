"""Tables of the tests."""

from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import csv, parquet

from worker.data.table import Table, TableRefused, read_table


def write(path: Path, columns: dict[str, Any]) -> Path:
    """Write columns in the format of the path's suffix."""
    table = pa.table(columns)
    path.parent.mkdir(parents=True, exist_ok=True)
    (csv.write_csv if path.suffix == ".csv" else parquet.write_table)(table, path)
    return path


def write_text(folder: Path, text: str | bytes) -> Path:
    """Write a CSV file as it is."""
    path = folder / "some.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read(path: Path, target: str = "label", **changes: Any) -> Table:
    """Read a table for classification, with all columns as features."""
    arguments: dict[str, Any] = {"features": None, "is_number": False, **changes}
    return read_table(path, target=target, **arguments)


def faults(path: Path, target: str = "label", **changes: Any) -> list[tuple[str, str]]:
    """Return the faults of a table, each with its field; empty where it can be read."""
    try:
        read(path, target, **changes)
    except TableRefused as refused:
        return [(fault.field, fault.detail) for fault in refused.faults]
    return []


def fault(path: Path, target: str = "label", **changes: Any) -> str:
    """Return the detail of the only fault of a table."""
    ((_, detail),) = faults(path, target, **changes)
    return detail
