"""The target of a classification: its texts are the classes. Axes: N rows, M classes.

Labels are text, as they stand in the file: "01" and "1" are two classes. Only where every label
is written as a whole number with a fraction of zero, such as 1.0, the classes are whole numbers:
a tool has then stored whole numbers as floats.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import compute

from worker.data.table.column import (
    Column,
    Mask,
    is_binary,
    is_fractional,
    is_text,
    kind_name,
)
from worker.data.table.faults import quoted

#: The functions of this module are made at import, so type checkers do not know them.
pc: Any = compute

MIN_CLASSES = 2
MAX_CLASSES = 1_000
MAX_LABEL_LENGTH = 200
#: Floats hold all whole numbers below this exactly.
MAX_WHOLE = 2**53
FLOAT = re.compile(r"[+-]?(\d+\.\d*|\.\d+)([eE][+-]?\d+)?")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
INTEGER = re.compile(r"[+-]?\d+")
FOR_NUMBERS = "for numbers, take a loss for regression, such as `l2`"


@dataclass(frozen=True)
class Labels:
    """The labels of the rows, and what is wrong with them."""

    #: int64 [N]
    labels: np.ndarray
    class_names: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    #: Classes that may be the same.
    similar: tuple[str, ...] = ()


def read_labels(column: Column) -> Labels:
    """Return a column as classes: whole numbers in their order, other texts in that of text."""
    texts, problems = _texts(column)
    if not problems:
        problems = _text_problems(column, texts)
    if problems:
        return Labels(_no_labels(texts), problems=tuple(problems))
    encoded = texts.combine_chunks().dictionary_encode()
    if len(encoded.dictionary) > MAX_CLASSES:
        return Labels(_no_labels(texts), problems=(_too_many(column, encoded.dictionary),))
    distinct: list[str] = encoded.dictionary.to_pylist()
    fractions = _fractions_of(distinct) if column.is_untyped else []
    if fractions:
        is_fraction_N = _mask(pc.is_in(texts, pa.array(fractions, texts.type)))
        return Labels(_no_labels(texts), problems=(_fraction_problem(column, is_fraction_N),))
    names = _class_names(distinct) if column.is_untyped else {text: text for text in distinct}
    classes = _in_order(names.values())
    if len(classes) < MIN_CLASSES:
        text = f"has the same value, {quoted(classes[0])}, in every row" if classes else "is empty"
        return Labels(
            _no_labels(texts),
            problems=(f"{text}; there must be at least {MIN_CLASSES} classes",),
        )
    index_of = {name: index for index, name in enumerate(classes)}
    index_by_code = np.array([index_of[names[text]] for text in distinct], np.int64)
    labels_N = index_by_code[encoded.indices.to_numpy()]
    return Labels(labels_N, classes, similar=_similar(classes))


def _texts(column: Column) -> tuple[pa.ChunkedArray, list[str]]:
    """Return a column as text, with null where there is none, and what is wrong with it."""
    values, kind = column.values, column.values.type
    if is_text(kind) or is_binary(kind):
        return _decoded(column)
    if pa.types.is_boolean(kind):
        return pc.if_else(values, pa.scalar("True"), pa.scalar("False")), []
    if is_fractional(kind):
        return _whole_numbers(column)
    try:
        return pc.cast(values, pa.large_string()), []
    except pa.ArrowException:
        nothing = pa.chunked_array([pa.nulls(len(values), pa.large_string())])
        return nothing, [f"holds {kind_name(kind)}, which cannot be classes"]


def _decoded(column: Column) -> tuple[pa.ChunkedArray, list[str]]:
    raw = pc.cast(column.values, pa.large_binary())
    try:
        return pc.cast(raw, pa.large_string()), []
    except (pa.ArrowInvalid, UnicodeDecodeError):
        is_bad_N = np.array([not _is_utf8(value) for value in raw.to_pylist()])
        nothing = pa.chunked_array([pa.nulls(len(raw), pa.large_string())])
        return nothing, [f"is not UTF-8 {column.rows(is_bad_N)}; save the file as UTF-8"]


def _is_utf8(value: bytes | None) -> bool:
    try:
        (value or b"").decode()
    except UnicodeDecodeError:
        return False
    return True


def _whole_numbers(column: Column) -> tuple[pa.ChunkedArray, list[str]]:
    """Return floats without a fraction as whole numbers."""
    values_N = pc.cast(column.values, pa.float64(), safe=False).to_numpy()
    is_missing_N = np.isnan(values_N)
    is_whole_N = is_missing_N | (np.floor(values_N) == values_N) & (abs(values_N) < MAX_WHOLE)
    whole = pa.array(np.where(is_missing_N, 0, values_N), mask=is_missing_N | ~is_whole_N)
    texts = pa.chunked_array([pc.cast(pc.cast(whole, pa.int64()), pa.large_string())])
    return texts, [] if is_whole_N.all() else [_fraction_problem(column, ~is_whole_N)]


def _fraction_problem(column: Column, is_fraction_N: Mask) -> str:
    text = f"holds numbers with a fraction {column.rows(is_fraction_N)}; classes must be text or "
    return f"{text}whole numbers: {FOR_NUMBERS}"


def _text_problems(column: Column, texts: pa.ChunkedArray) -> list[str]:
    """Return what is wrong with single labels."""
    is_blank_N = _mask(pc.equal(pc.utf8_trim_whitespace(texts), ""), if_null=True)
    problems = column.missing(is_blank_N)
    if problems and column.is_untyped:
        problems[0] += (
            ' (an empty cell, or NA, NaN, null … without quotes, which a class needs: "NA")'
        )
    is_long_N = _mask(pc.greater(pc.utf8_length(texts), MAX_LABEL_LENGTH))
    if is_long_N.any():
        problems.append(
            f"has labels of more than {MAX_LABEL_LENGTH} characters {column.rows(is_long_N)}"
        )
    has_control_N = _mask(pc.match_substring_regex(texts, r"\p{Cc}"))
    if has_control_N.any():
        problems.append(
            "has labels with control characters, such as a line break, "
            f"{column.rows(has_control_N)}"
        )
    return problems


def _mask(values: pa.ChunkedArray, *, if_null: bool = False) -> Mask:
    return pc.fill_null(values, if_null).to_numpy().astype(bool)


def _no_labels(texts: pa.ChunkedArray) -> np.ndarray:
    return np.zeros(len(texts), np.int64)


def _too_many(column: Column, distinct: pa.Array) -> str:
    first = distinct[:MAX_CLASSES].to_pylist()
    text = f"has {len(distinct):,} distinct values; at most {MAX_CLASSES:,} classes are allowed"
    is_numeric = not pa.types.is_boolean(column.values.type) and all(map(NUMBER.fullmatch, first))
    return f"{text}; {FOR_NUMBERS}" if is_numeric else text


def _fractions_of(distinct: Sequence[str]) -> list[str]:
    """Return the numbers with a fraction, if all texts are numbers."""
    if not all(NUMBER.fullmatch(text.strip()) for text in distinct):
        return []
    return [text for text in distinct if not float(text).is_integer()]


def _class_names(distinct: Sequence[str]) -> dict[str, str]:
    """Return the class of each text of a CSV file: the text itself, or the whole number."""
    if all(
        FLOAT.fullmatch(text.strip()) and abs(float(text)) < MAX_WHOLE and float(text).is_integer()
        for text in distinct
    ):
        return {text: str(int(float(text))) for text in distinct}
    return {text: text for text in distinct}


def _in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Return distinct names, sorted: as numbers where all are whole numbers, else as text."""
    distinct = set(names)
    if all(map(INTEGER.fullmatch, distinct)):
        return tuple(sorted(distinct, key=lambda name: (int(name), name)))
    return tuple(sorted(distinct))


def _similar(classes: Sequence[str]) -> tuple[str, ...]:
    """Return the first classes that differ only in spaces around them or in case."""
    groups = dict[str, list[str]]()
    for name in classes:
        groups.setdefault(name.strip().casefold(), []).append(name)
    return next((tuple(group) for group in groups.values() if len(group) > 1), ())
