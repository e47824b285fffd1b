"""The encoding of a CSV file: UTF-8, with or without a byte order mark."""

import codecs
import csv
import io
from contextlib import suppress

from worker.data.table.faults import (
    MAX_COUNTED,
    MAX_EXAMPLES,
    TableFault,
    TableRefused,
    in_rows,
    quoted,
    visible,
)

UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
SAVE = "Save the file as UTF-8"


def without_mark(content: bytes, file: str) -> bytes:
    """Return the content of a UTF-8 file without the byte order mark.

    Raises:
        TableRefused: the content is not UTF-8, or not text at all.
    """
    if content.startswith(UTF_16) or b"\0" in content:
        text = f"{quoted(file)} is not UTF-8: it is UTF-16, or not text at all"
        raise TableRefused(TableFault("file", f"{text}, from the header on. {SAVE}"))
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        # Decoding is the fastest check; the text itself would take up to four times the memory.
        if not content.isascii():
            content.decode()
    except UnicodeDecodeError:
        raise TableRefused(TableFault("file", _detail(content, file))) from None
    return content


def _detail(content: bytes, file: str) -> str:
    """Return which cells of a file are not UTF-8."""
    reader = csv.reader(io.StringIO(content.decode("utf-8", "surrogateescape"), newline=""))
    begin = f"{quoted(file)} is not UTF-8"
    header: list[str] = []
    bad = list[tuple[int, list[str]]]()
    with suppress(csv.Error):  # a value too long for this reader; report what was read
        for row, cells in enumerate(reader, start=1):
            header = header or cells
            if not _is_utf8("".join(cells)):
                bad.append((row, cells if len(bad) < MAX_EXAMPLES else []))
            if len(bad) == MAX_COUNTED:
                break
    if not bad:
        return f"{begin}. {SAVE}"
    if bad[0][1] is header:
        position = _position(header)
        return f"{begin}: the header names column {position + 1} {_shown(header[position])}. {SAVE}"
    examples = bad[:MAX_EXAMPLES]
    values = [_example(cells, header) for _, cells in examples]
    has_more = len(bad) == MAX_COUNTED
    rows = in_rows(len(bad), [row for row, _ in examples], values, has_more=has_more)
    return f"{begin} {rows}. {SAVE}"


def _example(cells: list[str], header: list[str]) -> str:
    position = _position(cells)
    name = quoted(header[position]) if position < len(header) else str(position + 1)
    return f"{_shown(cells[position])} in column {name}"


def _position(cells: list[str]) -> int:
    return next(position for position, cell in enumerate(cells) if not _is_utf8(cell))


def _shown(cell: str) -> str:
    return f'"{visible(cell)}"'


def _is_utf8(text: str) -> bool:
    """Return whether no byte is escaped as a surrogate."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
