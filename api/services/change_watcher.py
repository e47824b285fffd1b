"""Lets many requests wait for changes of jobs, with a single query per round for all of them.

A waiting request holds neither a thread nor a database connection.
"""

import asyncio
import enum
from collections import Counter
from operator import attrgetter
from typing import NamedTuple

import structlog
from fastapi.concurrency import run_in_threadpool

from api.services.queue_order import QueueOrder
from shared.database import Database
from shared.errors import Unavailable
from shared.jobs import queries
from shared.jobs.rows import JobRow

log = structlog.get_logger()

ROUND_SECONDS = 0.15


class Version(NamedTuple):
    """What can change about a job."""

    revision: int
    heartbeat: int | None
    state: str
    phase: str | None
    queue_position: int | None = None

    @classmethod
    def of(cls, row: JobRow, queue_position: int | None = None) -> "Version":
        """Return the version of a job's row at this position in the queue."""
        return cls(row.revision, row.beat, row.state, row.phase, queue_position)


class Change(enum.Enum):
    """Which parts of a version have to change to end a wait."""

    STATE = attrgetter("state", "phase")
    #: Everything that is recorded of the job itself.
    RECORD = attrgetter("revision", "heartbeat", "state", "phase")
    #: The position in the queue as well.
    ANY = attrgetter(*Version._fields)

    def between(self, old: Version, new: Version) -> bool:
        """Return whether this kind of change lies between two versions."""
        return self.value(old) != self.value(new)


class ChangeWatcher:
    """A task that reads the versions of all watched jobs; it runs only while requests wait."""

    def __init__(self, database: Database, queue_order: QueueOrder) -> None:
        self.database = database
        self.queue_order = queue_order
        #: How many requests wait for each job.
        self._waiting: Counter[str] = Counter()
        self._versions: dict[str, Version] = {}
        self._round = asyncio.Condition()
        self._rounds_begun = self._rounds_done = 0
        self._task: asyncio.Task[None] | None = None

    async def wait_for_change(
        self,
        job_id: str,
        version: Version,
        *,
        timeout_seconds: float,
        change: Change = Change.ANY,
    ) -> bool:
        """Wait until a job differs from a version; return False if it did not in time.

        Args:
            job_id: The job.
            version: The version that the caller knows.
            timeout_seconds: How long to wait.
            change: Which kind of change to wait for.
        """
        rounds_before = self._rounds_begun
        self._waiting[job_id] += 1
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._watch())
        try:
            async with asyncio.timeout(timeout_seconds), self._round:
                while True:
                    newest = self._versions.get(job_id)
                    # A round that began earlier may have read a version older than the caller's.
                    is_recent = self._rounds_done > rounds_before
                    if is_recent and newest is not None and change.between(version, newest):
                        return True
                    await self._round.wait()
        except TimeoutError:
            return False
        finally:
            self._waiting[job_id] -= 1
            if not self._waiting[job_id]:
                del self._waiting[job_id]
                self._versions.pop(job_id, None)

    def count_waiting(self) -> int:
        """Return how many requests wait."""
        return self._waiting.total()

    def read_version(self, job_id: str) -> Version | None:
        """Return the version as stored, for a job whose row cannot be read; None for no job."""
        return self._read([job_id]).get(job_id)

    async def close(self) -> None:
        """Cancel the task."""
        if self._task is not None:
            self._task.cancel()

    async def _watch(self) -> None:
        while self._waiting:
            self._rounds_begun += 1
            try:
                versions = await run_in_threadpool(self._read, list(self._waiting))
            except Unavailable as error:
                log.warning("the database does not respond", error=str(error))
                versions = {}
            async with self._round:
                self._rounds_done = self._rounds_begun
                self._versions |= {job: v for job, v in versions.items() if job in self._waiting}
                self._round.notify_all()
            await asyncio.sleep(ROUND_SECONDS)

    def _read(self, job_ids: list[str]) -> dict[str, Version]:
        with self.database.read() as connection:
            rows = queries.get_versions(connection, job_ids)
        versions = {job_id: Version(*row) for job_id, row in rows.items()}
        queued = [job_id for job_id, version in versions.items() if version.state == "queued"]
        # From the snapshot that all requests share.
        positions = self.queue_order.positions(queued) if queued else {}
        return {
            job_id: version._replace(queue_position=positions.get(job_id))
            for job_id, version in versions.items()
        }
