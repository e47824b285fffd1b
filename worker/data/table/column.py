"""A column as it is stored, and the rows that have a problem."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from worker.data.table.faults import MAX_EXAMPLES, in_rows, quoted, visible

Mask = np.ndarray


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    name: str
    #: The values; in CSV all are text.
    values: pa.ChunkedArray
    #: Whether text stands for whatever it reads as, as in CSV; in parquet, text is text.
    is_untyped: bool
    #: Positions from 0 → row numbers (see `faults`).
    row_numbers: Callable[[Sequence[int]], list[int]]

    def __str__(self) -> str:
        return f"column {quoted(self.name)}"

    def rows(self, is_bad_N: Mask, *, has_values: bool = True) -> str:
        """Return how many rows a mask selects, and the first rows with their values."""
        positions = np.flatnonzero(is_bad_N)
        first = [int(position) for position in positions[:MAX_EXAMPLES]]
        values = [self._shown(position) for position in first] if has_values else []
        return in_rows(len(positions), self.row_numbers(first), values)

    def missing(self, is_missing_N: Mask) -> list[str]:
        """Return the problem of rows without a value, if there are any."""
        if not is_missing_N.any():
            return []
        return [f"has no value {self.rows(is_missing_N, has_values=False)}"]

    def _shown(self, position: int) -> str:
        scalar = self.values[position]
        if is_text(scalar.type) or is_binary(scalar.type):
            raw = scalar.cast(pa.large_binary()).as_py()
            return f'"{visible(raw.decode("utf-8", "surrogateescape"))}"'
        try:
            return visible(str(scalar.as_py()))
        except (ValueError, OverflowError):  # such as a date after the year 9999
            return f"a {scalar.type}"


def is_text(kind: pa.DataType) -> bool:
    """Return whether values of a type are text."""
    is_string = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    return is_string or pa.types.is_string_view(kind)


def is_binary(kind: pa.DataType) -> bool:
    """Return whether values of a type are bytes."""
    types = pa.types
    is_plain = types.is_binary(kind) or types.is_large_binary(kind)
    return is_plain or types.is_binary_view(kind) or types.is_fixed_size_binary(kind)


def is_fractional(kind: pa.DataType) -> bool:
    """Return whether values of a type may have a fraction."""
    return pa.types.is_floating(kind) or pa.types.is_decimal(kind)


def kind_name(kind: pa.DataType) -> str:
    """Return the plural of what values of a type are."""
    types = pa.types
    if types.is_temporal(kind):
        return "dates or times"
    if types.is_map(kind) or types.is_struct(kind):
        return "structures"
    if types.is_nested(kind):
        return "lists"
    if is_binary(kind):
        return "bytes"
    return f"values of the type {kind}"
