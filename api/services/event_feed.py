"""The events of jobs as server-sent events, read and rendered once for all followers of a job.

Followers that are equally far get the same bytes. No event waits in memory for a slow follower: it
keeps the number of its last event only, and reads on from there.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import orjson
import structlog
from fastapi.concurrency import run_in_threadpool

from api.services.authentication import Authenticator
from api.services.change_watcher import Change, ChangeWatcher, Version
from api.services.free_memory import free_memory
from api.services.permits import Permit, Permits
from api.services.principal import Principal
from shared.clock import rfc3339
from shared.database import Database
from shared.errors import Unavailable
from shared.jobs import events as stored_events
from shared.jobs import queries
from shared.jobs.rows import EventRow, JobRow
from shared.states import FINAL

log = structlog.get_logger()

#: Between two rounds of a feed, and so between two writes to a follower.
ROUND_SECONDS = 0.5
#: After so long without a change the feed reads the job again.
MAX_WAIT_SECONDS = 5.0
#: Events that are read and written at once.
PAGE = 500
#: Of pages that are written together.
MAX_WRITE_BYTES = 65_536
#: Pages of a job that are kept for followers who read the same.
MAX_PAGES = 8
#: The followers of a job write one after the other during this part of a round.
SPREAD_SECONDS = 0.3
GOLDEN_RATIO = 0.618034
#: After so many followers at once, memory is returned to the system: that takes some milliseconds.
MANY_FOLLOWERS = 100
ENDED = "streams end, and clients may resume them"


@dataclass(frozen=True)
class Page:
    """Events in their order, as the bytes of a stream."""

    text: bytes
    #: The number of the last event.
    last: int


@dataclass(frozen=True)
class Snapshot:
    """What followers must know of a job after a round."""

    is_final: bool
    #: The progress of a running job, as the bytes of a stream.
    progress: bytes


def event_json(row: EventRow) -> dict[str, Any]:
    """Return an event as the API shows it."""
    return {
        "id": row.number,
        "object": "event",
        "type": row.type,
        "at": rfc3339(row.at),
        "data": row.data,
    }


class EventFeed:
    """The events of one job while somebody follows them."""

    def __init__(self, job_id: str, database: Database, watcher: ChangeWatcher) -> None:
        self.job_id = job_id
        self.followers = 0
        self.most_followers = 0
        #: Whether reading failed, so that this feed gets no further followers.
        self.has_failed = False
        self._database = database
        self._watcher = watcher
        self._snapshot: Snapshot | None = None
        self._attempt: Any = None
        self._round = asyncio.Condition()
        #: Pages, by the number of the event before them; also while they are read.
        self._pages = OrderedDict[int, asyncio.Task[Page | None]]()
        self._task = asyncio.create_task(self._watch())

    async def follow(
        self, after: int, delay_seconds: float, permit: Permit
    ) -> AsyncIterator[bytes]:
        """Yield all events after a number, and progress in between, until the job has ended.

        Args:
            after: The number of the last event that the follower has.
            delay_seconds: How long after a round to write.
            permit: The stream ends when it is revoked.
        """
        seen: Snapshot | None = None
        progress = b""
        while seen is None or not seen.is_final:
            snapshot = await self._next_snapshot(seen, permit)
            if snapshot is None:
                return
            if seen is not None and not snapshot.is_final:
                await asyncio.sleep(delay_seconds)
            seen, text = snapshot, b""
            while not permit.is_revoked and (page := await self._page(after)) is not None:
                after, text = page.last, text + page.text
                if len(text) > MAX_WRITE_BYTES:
                    yield text
                    text = b""
            if snapshot.progress != progress:
                progress = snapshot.progress
                text += progress
            if text:
                yield text

    def close(self) -> None:
        """Stop reading."""
        self._task.cancel()
        for page in self._pages.values():
            page.cancel()

    async def _next_snapshot(self, seen: Snapshot | None, permit: Permit) -> Snapshot | None:
        """Wait for a snapshot that a follower does not have; None if its permit is revoked."""
        async with self._round:
            while self._snapshot is None or self._snapshot is seen:
                if permit.is_revoked:
                    return None
                await self._round.wait()
            return None if permit.is_revoked else self._snapshot

    async def wake(self) -> None:
        """Let followers look at their permits."""
        async with self._round:
            self._round.notify_all()

    async def _watch(self) -> None:
        """Read the job once per round until it has ended."""
        try:
            while True:
                job = await run_in_threadpool(self._read_job)
                await self._publish(job)
                if job is None or job.state in FINAL:
                    return
                await asyncio.sleep(ROUND_SECONDS)
                await self._watcher.wait_for_change(
                    self.job_id,
                    Version.of(job),
                    timeout_seconds=MAX_WAIT_SECONDS,
                    change=Change.RECORD,
                )
        except Exception as error:
            self.has_failed = True
            if isinstance(error, Unavailable):
                log.warning(ENDED, error=str(error))
            else:
                log.exception(ENDED)
            await self._publish(None)

    async def _publish(self, job: JobRow | None) -> None:
        """Let the followers read on; None ends their streams."""
        is_final, progress = job is None or job.state in FINAL, b""
        self._forget_outdated_pages(job)
        if job is not None and job.state == "running" and job.progress is not None:
            progress = _frame("progress", job.progress)
        async with self._round:
            self._snapshot = Snapshot(is_final, progress)
            self._round.notify_all()

    async def _page(self, after: int) -> Page | None:
        """Return the events after a number, read by whichever follower comes first."""
        task = self._pages.get(after)
        if task is None:
            task = asyncio.create_task(run_in_threadpool(self._read_page, after))
            self._pages[after] = task
            if len(self._pages) > MAX_PAGES:
                self._pages.popitem(last=False)
        return await asyncio.shield(task)

    def _forget_outdated_pages(self, job: JobRow | None) -> None:
        """Forget pages that may have been read before the newest events."""
        if job is not None and job.attempt != self._attempt:
            self._attempt = job.attempt
            self._pages.clear()  # a resumed attempt deletes the events that it will repeat
        for after, task in list(self._pages.items()):
            is_read = task.done() and not task.cancelled() and task.exception() is None
            has_events = is_read and task.result() is not None
            if not has_events:
                del self._pages[after]

    def _read_job(self) -> JobRow | None:
        with self._database.read() as connection:
            return queries.get_job_in_part(connection, self.job_id)

    def _read_page(self, after: int) -> Page | None:
        with self._database.read() as connection:
            rows = stored_events.list_events(connection, self.job_id, after=after, limit=PAGE)
        if not rows:
            return None
        frames = [_frame(row.type, event_json(row), row.number) for row in rows]
        return Page(b"".join(frames), rows[-1].number)


class EventFeeds:
    """The feeds of the jobs that somebody follows."""

    def __init__(
        self, database: Database, watcher: ChangeWatcher, authenticator: Authenticator
    ) -> None:
        self._database = database
        self._watcher = watcher
        self._feeds = dict[str, EventFeed]()
        self._permits = Permits(authenticator, self._wake)
        self._numbers = count()

    async def follow(self, job_id: str, after: int, principal: Principal) -> AsyncIterator[bytes]:
        """Yield the events of a job as `EventFeed.follow` does, while the caller's key is valid."""
        # Multiples of the golden ratio, modulo 1, are spread evenly, however many there are.
        delay_seconds = SPREAD_SECONDS * (next(self._numbers) * GOLDEN_RATIO % 1)
        with self._feed(job_id) as feed, self._permits.hold(principal) as permit:
            try:
                async for text in feed.follow(after, delay_seconds, permit):
                    yield text
            except Unavailable as error:
                log.warning(ENDED, error=str(error))

    def count_followers(self) -> int:
        """Return how many clients follow a job."""
        return sum(feed.followers for feed in [*self._feeds.values()])

    async def _wake(self) -> None:
        for feed in list(self._feeds.values()):
            await feed.wake()

    @contextmanager
    def _feed(self, job_id: str) -> Iterator[EventFeed]:
        """Hold the feed of a job, which ends with its last follower."""
        feed = self._feeds.get(job_id)
        if feed is None or feed.has_failed:
            feed = self._feeds[job_id] = EventFeed(job_id, self._database, self._watcher)
        feed.followers += 1
        feed.most_followers = max(feed.most_followers, feed.followers)
        try:
            yield feed
        finally:
            feed.followers -= 1
            if not feed.followers:
                self._end(feed)

    def _end(self, feed: EventFeed) -> None:
        feed.close()
        if self._feeds.get(feed.job_id) is feed:
            del self._feeds[feed.job_id]
        if feed.most_followers >= MANY_FOLLOWERS:
            asyncio.get_running_loop().call_later(1.0, free_memory)


def _frame(kind: str, data: Any, number: int | None = None) -> bytes:
    """Return an event of a stream; JSON has no line breaks."""
    identity = b"" if number is None else b"id: %d\r\n" % number
    name = " ".join(kind.split()).encode()
    return b"%bevent: %b\r\ndata: %b\r\n\r\n" % (identity, name, orjson.dumps(data))
