"""A parquet file: its columns and the index that pandas has stored in it."""

import json
import re
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from worker.data.table.faults import TableFault, TableRefused, quoted, visible

#: The names that pandas gives to the columns of an index without a name.
INDEX_LEVEL = re.compile(r"__index_level_\d+__")
#: A damaged file raises any of these.
DAMAGED = (pa.ArrowException, OSError, ValueError, KeyError)


class ParquetFile:
    """A parquet file in memory.

    Args:
        content: the bytes of the file.
        file: its name, for messages.

    Raises:
        TableRefused: the file is damaged.
    """

    is_untyped = False

    def __init__(self, content: bytes, file: str) -> None:
        self._file = file
        try:
            self._parquet = parquet.ParquetFile(pa.BufferReader(content))
            schema = self._parquet.schema_arrow
            self.names = tuple(schema.names)
            self.rows: int | None = self._parquet.metadata.num_rows
        except MemoryError:
            raise
        except DAMAGED as error:
            raise self._damaged(error) from error
        stored = _pandas_index((schema.metadata or {}).get(b"pandas"))
        self.index_columns = frozenset(
            position
            for position, name in enumerate(self.names)
            if name in stored or INDEX_LEVEL.fullmatch(name)
        )

    def read(self, positions: Sequence[int]) -> list[pa.ChunkedArray]:
        """Return columns; categories are replaced by the values that they stand for.

        Raises:
            TableRefused: the file is damaged.
        """
        names = [self.names[position] for position in positions]
        try:
            table = self._parquet.read(columns=names)
            return [_plain(table.column(name)) for name in names]
        except MemoryError:
            raise
        except DAMAGED as error:
            raise self._damaged(error) from error

    def row_numbers(self, positions: Sequence[int]) -> list[int]:
        """Return the row numbers of rows of data, which are counted from 0."""
        return [position + 2 for position in positions]

    def _damaged(self, error: Exception) -> TableRefused:
        reason = visible(str(error).split("\n", 1)[0])
        text = f"{quoted(self._file)} cannot be read as parquet: {reason}"
        return TableRefused(TableFault("file", text))


def _pandas_index(metadata: bytes | None) -> set[str]:
    """Return the columns that pandas's metadata names as index; it may contain anything."""
    try:
        stored: Any = json.loads(metadata or b"{}")
    except (ValueError, RecursionError):
        return set()
    columns = stored.get("index_columns") if isinstance(stored, dict) else None
    names = columns if isinstance(columns, list) else []
    return {name for name in names if isinstance(name, str)}


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column without dictionary encoding and extension types."""
    if isinstance(column.type, pa.BaseExtensionType):
        column = pa.chunked_array([c.storage for c in column.chunks], column.type.storage_type)
    if pa.types.is_dictionary(column.type):
        chunks = [chunk.dictionary_decode() for chunk in column.chunks]
        column = pa.chunked_array(chunks, column.type.value_type)
    return column
