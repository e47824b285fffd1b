"""Opens a table by the suffix of its file; with another suffix, by its content."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from shared.datasets import TABLE
from shared.regular_files import NotRegular, open_regular
from worker.data.errors import DatasetMissing
from worker.data.table.csv_file import CsvFile
from worker.data.table.faults import TableFault, TableRefused, quoted
from worker.data.table.parquet_file import ParquetFile

#: A larger file does not have fewer cells than are allowed, or wastes its space.
MAX_BYTES = 2**30


class OpenFile(Protocol):
    """A table in memory."""

    #: The names of the columns, in order; a name may come twice.
    names: tuple[str, ...]
    #: The positions of the columns that only number or name the rows.
    index_columns: frozenset[int]
    #: The number of rows, where it is known before columns are read.
    rows: int | None
    #: Whether every column is text, whatever it stands for.
    is_untyped: bool

    def read(self, positions: Sequence[int]) -> list[pa.ChunkedArray]:
        """Return the columns at these positions, of which there must be one or more."""
        ...

    def row_numbers(self, positions: Sequence[int]) -> list[int]:
        """Return the row numbers (see `faults`) of rows of data, which are counted from 0."""
        ...


def open_table(path: Path) -> tuple[OpenFile, str]:
    """Return an open table and the hash of its file.

    Raises:
        DatasetMissing: the file does not exist.
        TableRefused: the file is too large, is no regular file, or cannot be read.
    """
    try:
        with open_regular(path.parent, path.name) as file:
            if os.fstat(file.fileno()).st_size > MAX_BYTES:
                text = f"{quoted(path.name)} exceeds the limit of {MAX_BYTES // 2**20:,} MiB. "
                raise TableRefused(TableFault("file", f"{text}Leave out columns or rows"))
            content = file.read()
    except NotRegular as error:
        text = f"{quoted(path.name)} is a link or another special file. Put the file itself there"
        raise TableRefused(TableFault("file", text)) from error
    except OSError as error:
        source = (TABLE.ways[0], f"has no file {path.name}")
        raise DatasetMissing(TABLE.name, [source], "Put the file there.") from error
    is_parquet = path.suffix == ".parquet" or (
        path.suffix != ".csv" and content.startswith(b"PAR1")
    )
    open_file = ParquetFile if is_parquet else CsvFile
    digest = hashlib.sha256(content).hexdigest()
    return open_file(content, path.name), f"sha256:{digest}"
