"""The positions of queued jobs, read about once a second for all requests."""

import threading
import time

from shared.database import Database
from shared.jobs import queries

MAX_AGE_SECONDS = 1.0
#: Between two regular reads, jobs submitted since may cause extra reads: at most so many, and
#: together at most so long.
MAX_EXTRA_READS, EXTRA_READS_SECONDS = 10, 0.1


class QueueOrder:
    """A snapshot of the queue, at most `MAX_AGE_SECONDS` old."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._lock = threading.Lock()
        self._positions: dict[str, int] = {}
        self._read_at = float("-inf")
        #: Extra reads that are left before the next regular read.
        self._extra_reads = 0

    def position(self, job_id: str, *, allow_extra_read: bool = True) -> int | None:
        """Return the position of a queued job, from 1; None if the snapshot does not contain it.

        Args:
            job_id: The job.
            allow_extra_read: Whether the queue may be read again to find a job that is not in the
                snapshot.
        """
        with self._lock:
            positions = self._current()
            if job_id not in positions and allow_extra_read and self._extra_reads:
                self._extra_reads -= 1
                positions = self._read()
            return positions.get(job_id)

    def _current(self) -> dict[str, int]:
        began_at = time.monotonic()
        if began_at - self._read_at > MAX_AGE_SECONDS:
            self._read()
            self._read_at = time.monotonic()
            read_seconds = self._read_at - began_at
            # A long queue takes long to read, so it gets fewer extra reads, but always one.
            extra_reads = int(EXTRA_READS_SECONDS / max(read_seconds, 1e-3))
            self._extra_reads = max(1, min(MAX_EXTRA_READS, extra_reads))
        return self._positions

    def _read(self) -> dict[str, int]:
        with self.database.read() as connection:
            job_ids = queries.list_queued(connection)
        self._positions = {job_id: position for position, job_id in enumerate(job_ids, start=1)}
        return self._positions
