"""Lets many requests wait for changes of jobs with one query a round for all of them.

A waiter holds neither a thread nor a connection.
"""

import asyncio
from collections import Counter
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

#: Which parts of a version count to a waiter.
STATE, WORK, ANYTHING = slice(2, 4), slice(0, 4), slice(0, 5)


class Version(NamedTuple):
    """What can change of a job."""

    revision: int
    beat: int | None
    state: str
    phase: str | None
    #: Its place in the queue.
    position: int | None = None

    @classmethod
    def of(cls, row: JobRow, position: int | None = None) -> "Version":
        """The version of a job's row, at this place in the queue."""
        return cls(row.revision, row.beat, row.state, row.phase, position)


class ChangeWatcher:
    """One task a process, alive only while somebody waits."""

    def __init__(self, database: Database, order: QueueOrder) -> None:
        self.database = database
        self.order = order
        self._watched: Counter[str] = Counter()
        self._versions: dict[str, Version] = {}
        self._round = asyncio.Condition()
        self._begun = self._done = 0
        self._task: asyncio.Task[None] | None = None

    async def changed(
        self, job_id: str, seen: Version, *, timeout_seconds: float, parts: slice = ANYTHING
    ) -> bool:
        """Wait until the job differs from `seen`; False if it did not in time.

        Args:
            job_id: of the job.
            seen: its version as the caller knows it.
            timeout_seconds: how long to wait.
            parts: which parts count: `STATE`, `WORK` or `ANYTHING`.
        """
        came = self._begun
        self._watched[job_id] += 1
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._watch())
        try:
            async with asyncio.timeout(timeout_seconds), self._round:
                while True:
                    version = self._versions.get(job_id)
                    # A round that had begun before may have read what was before `seen`.
                    is_newer = self._done > came
                    if is_newer and version is not None and version[parts] != seen[parts]:
                        return True
                    await self._round.wait()
        except TimeoutError:
            return False
        finally:
            self._watched[job_id] -= 1
            if not self._watched[job_id]:
                del self._watched[job_id]
                self._versions.pop(job_id, None)

    async def close(self) -> None:
        """End the task."""
        if self._task is not None:
            self._task.cancel()

    async def _watch(self) -> None:
        while self._watched:
            self._begun += 1
            try:
                found = await run_in_threadpool(self._read, list(self._watched))
            except Unavailable as error:
                log.warning("database away", error=str(error))
                found = {}
            async with self._round:
                self._done = self._begun
                self._versions |= {job: v for job, v in found.items() if job in self._watched}
                self._round.notify_all()
            await asyncio.sleep(ROUND_SECONDS)

    def _read(self, job_ids: list[str]) -> dict[str, Version]:
        with self.database.read() as connection:
            found = queries.get_versions(connection, job_ids)
        versions = {job: Version(*parts) for job, parts in found.items()}
        return {job: self._placed(job, version) for job, version in versions.items()}

    def _placed(self, job_id: str, version: Version) -> Version:
        """The same with its place, out of the snapshot that all requests share."""
        if version.state != "queued":
            return version
        return version._replace(position=self.order.position(job_id))
