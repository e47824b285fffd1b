"""The rows that this process could not read: each is counted and logged once."""

import threading
from collections import Counter

import structlog

from shared.errors import RowUnreadable

log = structlog.get_logger()

#: Rows that are remembered; when there are more, all are forgotten and may be counted again.
MAX_REMEMBERED = 10_000

_lock = threading.Lock()
_counts: Counter[str] = Counter()
_seen: set[tuple[str, str, str]] = set()


def note(error: RowUnreadable) -> None:
    """Count and log a row that is not used because it cannot be read."""
    row = (error.table, error.row_id, error.column)
    with _lock:
        if row in _seen:
            return
        if len(_seen) >= MAX_REMEMBERED:
            _seen.clear()
        _seen.add(row)
        _counts[error.table] += 1
    log.error(
        "row cannot be read",
        table=error.table,
        row=error.row_id,
        column=error.column,
        why=error.why,
    )


def counts() -> dict[str, int]:
    """Return how many rows of each table were found unreadable."""
    with _lock:
        return dict(_counts)
