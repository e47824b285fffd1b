"""The order of the jobs that wait, read about once a second however many ask."""

import threading
import time

from shared.database import Database
from shared.jobs import queries

FRESH_SECONDS = 1.0
#: Readings for jobs that came since the last one: at most so many a second, taking so long.
MOST_EXTRA, EXTRA_SECONDS = 10, 0.1


class QueueOrder:
    """A snapshot of the queue."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._lock = threading.Lock()
        self._positions: dict[str, int] = {}
        self._read_at = float("-inf")
        #: How many readings out of turn are left before the next one in turn.
        self._extra = 0

    def position(self, job_id: str, *, anew: bool = True) -> int | None:
        """The place of a job that waits, from 1; None for one that the snapshot has not.

        Args:
            job_id: of the job.
            anew: whether to read anew for a job that the snapshot has not.
        """
        with self._lock:
            positions = self._fresh()
            if job_id not in positions and anew and self._extra:
                self._extra -= 1
                positions = self._read()
            return positions.get(job_id)

    def length(self) -> int:
        """How many jobs wait."""
        with self._lock:
            return len(self._fresh())

    def _fresh(self) -> dict[str, int]:
        began = time.monotonic()
        if began - self._read_at > FRESH_SECONDS:
            self._read()
            self._read_at = time.monotonic()
            taken = self._read_at - began
            # A long queue takes its time: one that came since is looked for once.
            self._extra = max(1, min(MOST_EXTRA, int(EXTRA_SECONDS / max(taken, 1e-3))))
        return self._positions

    def _read(self) -> dict[str, int]:
        with self.database.read() as connection:
            order = queries.list_queued(connection)
        self._positions = {job: place for place, job in enumerate(order, start=1)}
        return self._positions
