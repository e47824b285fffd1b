"""The faults of a table: what is wrong with a column, in how many rows, and in which.

Rows are counted as a spreadsheet shows them, in both kinds of file: the header is row 1, and the
first row of data is row 2. Blank lines of a CSV file count as well.
"""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

MAX_TEXT_LENGTH = 60
#: Rows that are named of each problem.
MAX_EXAMPLES = 3
#: Rows after which counting stops where each takes long.
MAX_COUNTED = 1_000
#: Names that are listed where another name is unknown.
MAX_LISTED = 20


@dataclass(frozen=True)
class TableFault:
    """One fault; `field` is the field of `dataset` that it belongs to, such as `features/2`."""

    field: str
    detail: str


@dataclass(frozen=True)
class TableWarning:
    """What is allowed and probably a mistake; `field` as in `TableFault`."""

    field: str
    detail: str
    suggestion: str


class TableRefused(Exception):
    """The file or its columns cannot be used."""

    def __init__(self, *faults: TableFault) -> None:
        super().__init__("; ".join(fault.detail for fault in faults))
        self.faults = faults


def visible(text: str) -> str:
    """Return text with its invisible characters escaped, cut to a length that suits a message."""
    cut = text[: MAX_TEXT_LENGTH + 1]
    escaped = "".join(c if c.isprintable() else _escaped(c) for c in cut)
    return escaped if len(escaped) <= MAX_TEXT_LENGTH else f"{escaped[: MAX_TEXT_LENGTH - 1]}…"


def quoted(name: str) -> str:
    """Return a name in backquotes."""
    return f"`{visible(name)}`"


def in_rows(
    count: int, rows: Sequence[int], values: Sequence[str] = (), *, has_more: bool = False
) -> str:
    """Return how many rows have a problem, and examples: the first rows, with their values.

    Args:
        count: the number of rows.
        rows: the numbers of the first rows.
        values: the values in these rows, quoted where they are text; empty for rows alone.
        has_more: whether counting stopped at `count`.
    """
    begin = "at least " if has_more else ""
    total = "1 row" if count == 1 else f"{begin}{count:,} rows"
    examples = [f"row {row:,}" for row in rows]
    if values:
        examples = [f"{value} in {row}" for value, row in zip(values, examples, strict=True)]
    return f"in {total}{', such as' if count > len(rows) else ':'} {', '.join(examples)}"


def unknown_name(name: str, names: Sequence[str]) -> str:
    """Return the end of a message about an unknown column: the nearest name, and the names."""
    nearest = nearest_name(name, names)
    hint = "" if nearest is None else f" Did you mean {quoted(nearest)}?"
    listed = ", ".join(map(quoted, names[:MAX_LISTED]))
    more = f" and {len(names) - MAX_LISTED:,} more" if len(names) > MAX_LISTED else ""
    return f"{hint} The columns are {listed}{more}"


def nearest_name(name: str, names: Sequence[str]) -> str | None:
    """Return the name that was probably meant; spaces and case count less than letters."""
    plain = {_plain(other): other for other in reversed(names)}
    nearest = difflib.get_close_matches(_plain(name), plain, n=1, cutoff=0.6)
    return plain[nearest[0]] if nearest else None


def _plain(name: str) -> str:
    return name.strip().casefold()[:100]


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, as `surrogateescape` decodes it
        return f"\\x{code - 0xDC00:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
