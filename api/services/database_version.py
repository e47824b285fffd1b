"""Whether the database has changed, found out without a query.

SQLite has a number that another connection's commit changes, which is exact. PostgreSQL has no such
number: there what the API of this host writes counts at once, and what workers write a bit later.
"""

import threading
import time
from collections.abc import Hashable
from pathlib import Path
from typing import Any

from api.services.write_mark import WriteMark
from shared.database import Database, sqlite_driver

#: How old an answer may be with PostgreSQL: less than half of the time between two heartbeats.
POSTGRESQL_SECONDS = 0.2
#: The file of the mark.
MARK = "api-writes"


class DatabaseVersion:
    """A value that differs after a change.

    Args:
        database: whose version it is.
        home: of the box, with the mark of writes to PostgreSQL.
    """

    def __init__(self, database: Database, home: Path) -> None:
        self.database = database
        #: 0 for no answer from memory with PostgreSQL.
        self.postgresql_seconds = POSTGRESQL_SECONDS
        self._lock = threading.Lock()
        self._connection: Any = None
        self._mark: WriteMark | None = None
        if not database.is_sqlite:
            self._mark = WriteMark(home / MARK)
            database.after_write = self._mark.replace

    def current(self) -> Hashable | None:
        """Return the version; None if it is not known.

        What was read after a version was taken is current as long as the version is the same.
        """
        if self._mark is not None:
            if not self.postgresql_seconds:
                return None
            return (self._mark.current(), int(time.monotonic() / self.postgresql_seconds))
        driver = sqlite_driver()
        try:
            with self._lock:
                if self._connection is None:
                    # Never waits for a lock: it is used on the event loop.
                    self._connection = driver.connect(
                        self.database.engine.url.database, timeout=0, check_same_thread=False
                    )
                return self._connection.execute("PRAGMA data_version").fetchone()[0]
        except driver.Error:
            return None

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
