"""A CSV file: its header, and its columns as text.

Nothing is guessed from the values of a column: its use decides whether they are numbers or labels.
So "01" and "1" stay two labels, and a first part without fractions decides nothing.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import islice

import pyarrow as pa
from pyarrow import csv as arrow_csv

from worker.data.table.encoding import without_mark
from worker.data.table.faults import (
    MAX_COUNTED,
    MAX_EXAMPLES,
    TableFault,
    TableRefused,
    in_rows,
    quoted,
    visible,
)

#: What stands for a missing value, unless it is in quotes.
MISSING = ("#N/A", "#NA", "-NaN", "-nan", "<NA>", "N/A", "NA", "NULL", "NaN", "n/a", "nan", "null")
#: The names that pandas gives to the columns of an index, on writing and on reading it again.
UNNAMED = re.compile(r"(Unnamed: \d+(\.\d+)*)?")
#: No row may be longer.
BLOCK_BYTES = 16 * 2**20
BLANK_LINES = (b"\n\n", b"\n\r\n", b"\r\r")
OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


class CsvFile:
    """A CSV file in memory.

    Args:
        content: the bytes of the file.
        file: its name, for messages.

    Raises:
        TableRefused: the file is not UTF-8, or has no header.
    """

    is_untyped = True
    #: Unknown before columns are read.
    rows: int | None = None

    def __init__(self, content: bytes, file: str) -> None:
        self._file = file
        self._content = without_mark(content, file)
        #: The rows up to the header: blank lines, and the header itself.
        self._skipped_rows, self.names = self._read_header()
        leading = 0
        while leading < len(self.names) and UNNAMED.fullmatch(self.names[leading].strip()):
            leading += 1
        self.index_columns = frozenset(range(leading))

    def read(self, positions: Sequence[int]) -> list[pa.ChunkedArray]:
        """Return columns as text; null where an unquoted value is missing.

        Raises:
            TableRefused: a row has another number of values than the header.
        """
        if self._has_only_header():
            return [pa.chunked_array([], pa.string()) for _ in positions]
        try:
            table = self._read(positions)
        except MemoryError:
            raise
        except pa.ArrowException as error:
            raise TableRefused(TableFault("file", self._malformed(positions, error))) from error
        return [table.column(str(position)) for position in positions]

    def row_numbers(self, positions: Sequence[int]) -> list[int]:
        """Return the row numbers of rows of data, which are counted from 0."""
        if not positions or not self._has_blank_lines:
            return [position + 2 for position in positions]
        if self._has_plain_lines:
            numbered = self._line_numbers()
        else:
            numbered = (number for number, cells in enumerate(self._records(), start=1) if cells)
        try:  # the header is the first of them
            numbers = list(islice(numbered, 1, max(positions) + 2))
        except csv.Error:  # a value too long for this reader
            return [position + 1 + self._skipped_rows for position in positions]
        return [numbers[position] for position in positions]

    @cached_property
    def _has_blank_lines(self) -> bool:
        return self._skipped_rows > 1 or any(blank in self._content for blank in BLANK_LINES)

    @cached_property
    def _has_plain_lines(self) -> bool:
        """Return whether every line is a row, since no value in quotes contains a line break."""
        content = self._content
        return b'"' not in content and content.count(b"\r") == content.count(b"\r\n")

    def _line_numbers(self) -> Iterator[int]:
        """Yield the numbers of lines that are not blank; blank lines are passed without a loop."""
        number, begin = 1, 0
        for line in re.finditer(rb"[^\r\n]+", self._content):
            number += self._content.count(b"\n", begin, line.start())
            begin = line.start()
            yield number

    def _read_header(self) -> tuple[int, tuple[str, ...]]:
        try:
            for number, cells in enumerate(self._records(), start=1):
                if cells:
                    return number, self._checked(cells)
        except csv.Error as error:
            text = f"{quoted(self._file)} has a header that cannot be read: {error}"
            raise TableRefused(TableFault("file", text)) from error
        text = f"{quoted(self._file)} is empty; its first row must name the columns"
        raise TableRefused(TableFault("file", text))

    def _checked(self, header: list[str]) -> tuple[str, ...]:
        for separator, plural in OTHER_SEPARATORS.items():
            if len(header) == 1 and separator in header[0]:
                text = f"{quoted(self._file)} separates its columns by {plural}; use commas"
                raise TableRefused(TableFault("file", text))
        return tuple(header)

    def _records(self) -> Iterator[list[str]]:
        """Yield the rows, header and blank lines included; these are empty."""
        text = io.TextIOWrapper(io.BytesIO(self._content), encoding="utf-8", newline="")
        yield from csv.reader(text)

    def _has_only_header(self) -> bool:
        try:
            return not any(islice(self._records(), self._skipped_rows, None))
        except csv.Error:  # a value too long for this reader
            return False

    def _read(
        self, positions: Sequence[int], handler: object = None, *, use_threads: bool = True
    ) -> pa.Table:
        columns = [str(position) for position in range(len(self.names))]
        included = [str(position) for position in positions]
        return arrow_csv.read_csv(
            pa.BufferReader(self._content),
            read_options=arrow_csv.ReadOptions(
                column_names=columns,
                skip_rows_after_names=self._skipped_rows,
                block_size=BLOCK_BYTES,
                use_threads=use_threads,
            ),
            parse_options=arrow_csv.ParseOptions(
                newlines_in_values=True, invalid_row_handler=handler
            ),
            convert_options=arrow_csv.ConvertOptions(
                include_columns=included,
                column_types=dict.fromkeys(included, pa.string()),
                null_values=["", *MISSING],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )

    def _malformed(self, positions: Sequence[int], error: Exception) -> str:
        """Return which rows have another number of values than the header."""
        bad = list[tuple[int, str]]()

        def collect(row: arrow_csv.InvalidRow) -> str:
            bad.append((row.number, f'{row.actual_columns} ("{visible(row.text)}")'))
            return "skip" if len(bad) < MAX_COUNTED else "error"

        try:
            self._read(positions, collect, use_threads=False)
        except pa.ArrowException as again:
            error = again
        if not bad:
            reason = visible(str(error).split("\n", 1)[0])
            return f"{quoted(self._file)} cannot be read as CSV: {reason}"
        first = bad[:MAX_EXAMPLES]
        rows = self.row_numbers([number - self._skipped_rows - 1 for number, _ in first])
        has_more = len(bad) == MAX_COUNTED
        examples = in_rows(len(bad), rows, [value for _, value in first], has_more=has_more)
        return (
            f"{quoted(self._file)} has another number of values than its {len(self.names)} columns "
            f"{examples}. Put values that contain commas in quotes"
        )
