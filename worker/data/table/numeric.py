"""Columns of numbers: features, and the target of a regression. Axis: N rows."""

from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import compute

from worker.data.table.column import Column, Mask, is_fractional, is_text, kind_name
from worker.data.table.csv_file import MISSING

#: The functions of this module are made at import, so type checkers do not know them.
pc: Any = compute

#: Networks compute in float32.
MAX_MAGNITUDE = float(np.finfo(np.float32).max)
TRUE, FALSE = ("true", "True", "TRUE"), ("false", "False", "FALSE")
#: What the cast from text to float64 accepts.
NUMBER = r"^[+-]?((\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|(?i:inf|infinity|nan))$"


def read_numbers(column: Column) -> tuple[np.ndarray, list[str]]:
    """Return a column as float64 [N], and what is wrong with it.

    A value that has a problem is NaN or infinite.
    """
    kind = column.values.type
    is_text_N = np.zeros(len(column.values), bool)
    if is_text(kind):
        values_N, is_text_N = _parsed(column) if column.is_untyped else _refused(column)
    elif is_fractional(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        values_N = _floats(column.values)
    elif pa.types.is_null(kind):
        values_N = np.full(len(column.values), np.nan)
    else:
        is_valid_N = _as_mask(column.values.is_valid())
        text = f"holds {kind_name(kind)} {column.rows(is_valid_N)}" if is_valid_N.any() else ""
        missing = column.missing(~is_valid_N)
        return np.full(len(column.values), np.nan), missing + ([text] if text else [])
    problems = column.missing(np.isnan(values_N) & ~is_text_N)
    if is_text_N.any():
        problems.append(f"holds text {column.rows(is_text_N)}")
    is_too_large_N = np.abs(values_N) > MAX_MAGNITUDE
    if is_too_large_N.any():
        problems.append(f"is not within ±{MAX_MAGNITUDE:.1e} {column.rows(is_too_large_N)}")
    return values_N, problems


def _parsed(column: Column) -> tuple[np.ndarray, Mask]:
    """Return the text of a CSV column as float64 [N], and where it is no number."""
    trimmed = pc.utf8_trim_whitespace(column.values)
    is_missing = pc.is_in(trimmed, pa.array(["", *MISSING], trimmed.type))
    text = pc.if_else(is_missing, pa.scalar(None, trimmed.type), trimmed)
    nowhere_N = np.zeros(len(text), bool)
    try:
        return _floats(text), nowhere_N
    except pa.ArrowInvalid:
        pass
    is_true, is_false = (pc.is_in(text, pa.array(words, text.type)) for words in (TRUE, FALSE))
    if pc.all(pc.or_(pc.or_(is_true, is_false), text.is_null())).as_py():
        return _floats(pc.if_else(text.is_null(), None, is_true)), nowhere_N
    is_number = pc.fill_null(pc.match_substring_regex(text, NUMBER), fill_value=True)
    numbers = pc.if_else(is_number, text, pa.scalar(None, text.type))
    return _floats(numbers), ~_as_mask(is_number)


def _refused(column: Column) -> tuple[np.ndarray, Mask]:
    """Return NaN [N] for a column of text, and where it has text."""
    blank_N = ~_as_mask(column.values.is_valid())
    return np.full(len(blank_N), np.nan), ~blank_N


def _floats(values: pa.ChunkedArray) -> np.ndarray:
    """Return values as float64 [N], with NaN where there is none."""
    return pc.cast(values, pa.float64(), safe=False).to_numpy()


def _as_mask(values: pa.ChunkedArray) -> Mask:
    return values.to_numpy().astype(bool)
