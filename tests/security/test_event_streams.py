"""Many followers of a job, slow followers, and followers of many short epochs."""

import asyncio
import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import Any

import pytest

from api.jobs.history import events
from api.services import event_feed
from shared.jobs import events as stored_events
from shared.jobs.events import NewEvent
from tests.api.raw import connect
from tests.api.service import KEY, Service

FOLLOWERS = 40


def notes(first: int, count: int, size: int = 10) -> list[NewEvent]:
    return [NewEvent("note", {"text": f"{first + n}" + "x" * size}) for n in range(count)]


def begin(connection: socket.socket, job_id: str, after: int = 0) -> None:
    """Start to follow a job."""
    request = f"GET /v1/jobs/{job_id}/events HTTP/1.1\r\nHost: localhost\r\n"
    request += f"Authorization: Bearer {KEY}\r\nAccept: text/event-stream\r\n"
    connection.sendall(f"{request}Last-Event-ID: {after}\r\n\r\n".encode())


def read_to_end(connection: socket.socket) -> bytes:
    """Return what arrives until the stream ends."""
    received = b""
    with suppress(ConnectionError):
        while not received.endswith(b"\r\n0\r\n\r\n") and (part := connection.recv(65_536)):
            received += part
    return received


def ids(stream: bytes) -> list[int]:
    return [int(number) for number in re.findall(rb"^id: (\d+)", stream, re.MULTILINE)]


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count how often the events of a job are read, by the number that they come after."""
    counted = list[int]()
    read = stored_events.list_events

    def list_events(*arguments: object, after: int, **options: int) -> object:
        counted.append(after)
        return read(*arguments, after=after, **options)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(stored_events, "list_events", list_events)
    return counted


def test_events_are_read_once_for_all_followers(service: Service, reads: list[int]) -> None:
    lease = service.start_job()
    service.record(lease, events=notes(0, 1200))

    def follow(_: int) -> list[int]:
        with connect(service) as connection:
            begin(connection, lease.job_id)
            return ids(read_to_end(connection))

    with ThreadPoolExecutor(FOLLOWERS) as clients:
        streams = [clients.submit(follow, number) for number in range(FOLLOWERS)]
        for burst in range(10):
            time.sleep(0.1)
            service.record(lease, events=notes(2000 + burst, 20))
        service.succeed(lease)
        received = [stream.result() for stream in streams]
    expected = list(range(1, 1404))
    wrong = [numbers for numbers in received if numbers != expected]
    assert not wrong, [(len(each), each[:3], each[-3:]) for each in wrong]
    # Three pages at first and a few for each round, whatever the number of followers.
    assert len(reads) < 3 * FOLLOWERS, sorted(reads)


def test_stream_is_written_at_most_twice_a_second(service: Service) -> None:
    lease = service.start_job()
    with connect(service) as connection:
        begin(connection, lease.job_id)
        end = threading.Event()

        def record() -> int:
            start, count = time.monotonic(), 0
            while time.monotonic() < start + 2:
                service.record(lease, events=notes(count, 1))
                count += 1
                time.sleep(0.01)
            service.succeed(lease)
            end.set()
            return count

        with ThreadPoolExecutor(1) as recorder:
            recorded = recorder.submit(record)
            stream = read_to_end(connection)
            count = recorded.result()
    assert ids(stream) == list(range(1, count + 4))
    chunks = re.findall(rb"^[0-9a-f]+\r\n(?=id: |event: )", stream, re.MULTILINE)
    rounds = 2 / event_feed.ROUND_SECONDS
    assert len(chunks) <= rounds + 4, f"{count} events"


def test_slow_follower_is_dropped_and_may_resume(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "SEND_TIMEOUT_SECONDS", 0.3)
    lease = service.start_job()
    service.record(lease, events=notes(0, 2000, size=20_000))  # 40 MB, more than buffers hold
    with connect(service) as slow, connect(service) as other:
        begin(slow, lease.job_id)
        begin(other, lease.job_id, after=1990)
        time.sleep(1.5)  # the client takes in nothing
        stream = read_to_end(slow)
        service.succeed(lease)
        assert ids(read_to_end(other)) == list(range(1991, 2004)), "it does not wait for the slow"
    received = ids(stream)
    assert received == list(range(1, len(received) + 1))
    assert len(received) < 2000
    assert not stream.endswith(b"\r\n0\r\n\r\n"), "the stream is cut off, not ended"
    # The last event may have arrived in part; its id stands before its data.
    monkeypatch.undo()
    with connect(service) as resumed:
        begin(resumed, lease.job_id, after=received[-2])
        rest = ids(read_to_end(resumed))
    assert received[:-1] + rest == list(range(1, 2004))


def test_feed_ends_with_its_last_follower(service: Service) -> None:
    feeds = service.app.state.services.event_feeds
    lease = service.start_job()
    with connect(service) as connection:
        begin(connection, lease.job_id)
        service.wait_until(lambda: feeds._feeds, "a feed")
    service.wait_until(lambda: not feeds._feeds, "its end")


def test_stream_survives_a_database_that_is_away_for_a_moment(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = service.start_job()
    with connect(service) as connection:
        begin(connection, lease.job_id)
        assert b"id: 2" in connection.recv(65_536) + connection.recv(65_536)
        monkeypatch.setattr(event_feed, "run_in_threadpool", _unavailable)
        service.record(lease, events=notes(0, 1))
        rest = read_to_end(connection)
    assert rest.endswith(b"0\r\n\r\n"), "the stream ends in order"
    monkeypatch.undo()
    service.succeed(lease)
    with connect(service) as connection:
        begin(connection, lease.job_id, after=2)
        assert ids(read_to_end(connection)) == [3, 4]


async def _unavailable(*_: object) -> None:
    raise event_feed.Unavailable("away")


class Away:
    """A database that does not answer."""

    def read(self) -> None:
        raise event_feed.Unavailable("away")


def test_feed_that_has_failed_gets_no_further_followers() -> None:
    async def test() -> None:
        away: Any = Away()
        feeds = event_feed.EventFeeds(away, away, away)
        with ExitStack() as followers:
            failed = followers.enter_context(feeds._feed("job_1"))
            await asyncio.wait([failed._task])
            with feeds._feed("job_1") as other:
                assert other is not failed
            assert not feeds._feeds, "the feed ends with its last follower"
        assert not feeds._feeds

    asyncio.run(test())


@pytest.mark.parametrize(("followers", "frees"), [(3, False), (event_feed.MANY_FOLLOWERS, True)])
def test_memory_is_freed_after_many_followers_only(
    followers: int, frees: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    freed = list[bool]()
    monkeypatch.setattr(event_feed, "free_memory", lambda: freed.append(True))

    async def test() -> None:
        away: Any = Away()
        feeds = event_feed.EventFeeds(away, away, away)
        with ExitStack() as stack:
            for _ in range(followers):
                stack.enter_context(feeds._feed("job_1"))
        await asyncio.sleep(1.2)

    asyncio.run(test())
    assert bool(freed) == frees
