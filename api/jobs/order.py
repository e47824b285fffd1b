"""The order of the jobs that wait, read at most once a second however many ask."""

import threading
import time

from shared.database import Database
from shared.jobs import reading

FRESH_SECONDS = 1.0


class Order:
    """A snapshot of the queue."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._lock = threading.Lock()
        self._positions: dict[str, int] = {}
        self._read_at = float("-inf")

    def position(self, job_id: str) -> int | None:
        """The place of a job that waits, from 1; None for one that the snapshot has not."""
        return self._fresh().get(job_id)

    def length(self) -> int:
        """How many jobs wait."""
        return len(self._fresh())

    def _fresh(self) -> dict[str, int]:
        with self._lock:
            if time.monotonic() - self._read_at > FRESH_SECONDS:
                with self.database.read() as connection:
                    order = reading.order(connection)
                self._positions = {job: place for place, job in enumerate(order, start=1)}
                self._read_at = time.monotonic()
            return self._positions
