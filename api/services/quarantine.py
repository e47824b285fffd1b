"""Puts jobs whose rows a request could not read into quarantine, once."""

from collections.abc import Iterable

from shared.database import Database
from shared.errors import Unavailable
from shared.jobs import quarantine, unreadable_rows
from shared.jobs.partial_rows import UnreadableJobRow
from shared.jobs.rows import JobRow

#: Jobs that are remembered; when there are more, all are forgotten and looked up again.
MAX_REMEMBERED = 10_000


class Quarantine:
    """Remembers what it has put into quarantine, so that reading does not write each time."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._known: set[tuple[str, str]] = set()

    def report(self, rows: Iterable[JobRow]) -> bool:
        """Put the unreadable jobs among these into quarantine; return whether that was new."""
        damaged = [row for row in rows if isinstance(row, UnreadableJobRow)]
        return sum(map(self._report, damaged)) > 0

    def _report(self, row: UnreadableJobRow) -> bool:
        unreadable_rows.note(row.error())
        key = (row.id, repr(row.unreadable_columns))
        if key in self._known:
            return False
        try:
            with self.database.write() as connection:
                is_new = quarantine.add(connection, row.id, row.unreadable_columns)
        except Unavailable:
            return False  # the next read tries again
        if len(self._known) >= MAX_REMEMBERED:
            self._known.clear()
        self._known.add(key)
        return is_new
