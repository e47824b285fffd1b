"""The encoding of a CSV file: UTF-8, with or without a byte order mark."""

import codecs
import csv
import io
from itertools import islice

from worker.data.table.faults import (
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
    count, examples = 0, list[tuple[int, str]]()
    try:
        for row, cells in enumerate(reader, start=1):
            header = header or cells
            position = next((i for i, cell in enumerate(cells) if not _is_utf8(cell)), None)
            if position is None:
                continue
            value = f'"{visible(cells[position])}"'
            if cells is header:
                return f"{begin}: the header names column {position + 1} {value}. {SAVE}"
            count += 1
            if len(examples) < MAX_EXAMPLES:
                name = quoted(header[position]) if position < len(header) else f"{position + 1}"
                examples.append((row, f"{value} in column {name}"))
    except csv.Error:
        if not examples:
            return f"{begin}. {SAVE}"
    rows, values = zip(*islice(examples, MAX_EXAMPLES), strict=True)
    return f"{begin} {in_rows(count, rows, values)}. {SAVE}"


def _is_utf8(text: str) -> bool:
    return text.isascii() or not any("\udc80" <= character <= "\udcff" for character in text)
