"""Lets many requests wait for changes of jobs with one query a round for all of them.

A waiter holds neither a thread nor a connection.
"""

import asyncio
from collections import Counter
from typing import Any

import structlog
from fastapi.concurrency import run_in_threadpool

from shared.database import Database
from shared.errors import Unavailable
from shared.jobs import reading

log = structlog.get_logger()

ROUND_SECONDS = 0.15

#: revision, beat, state, phase
Version = tuple[Any, ...]


class Watcher:
    """One task a process, alive only while somebody waits."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._watched: Counter[str] = Counter()
        self._versions: dict[str, Version] = {}
        self._round = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None

    async def changed(
        self, job_id: str, seen: Version, *, timeout_seconds: float, only_state: bool = False
    ) -> bool:
        """Wait until the job differs from `seen`; False if it did not in time.

        Args:
            job_id: of the job.
            seen: its version as the caller knows it.
            timeout_seconds: how long to wait.
            only_state: whether only state and phase count.
        """
        part = slice(2, 4) if only_state else slice(0, 4)
        self._watched[job_id] += 1
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._watch())
        try:
            async with asyncio.timeout(timeout_seconds), self._round:
                while True:
                    version = self._versions.get(job_id)
                    if version is not None and version[part] != seen[part]:
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
            try:
                found = await run_in_threadpool(self._read, list(self._watched))
            except Unavailable as error:
                log.warning("database away", error=str(error))
                found = {}
            async with self._round:
                self._versions |= {job: v for job, v in found.items() if job in self._watched}
                self._round.notify_all()
            await asyncio.sleep(ROUND_SECONDS)

    def _read(self, job_ids: list[str]) -> dict[str, Version]:
        with self.database.read() as connection:
            return reading.versions(connection, job_ids)
