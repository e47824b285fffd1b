"""The pool of an operation: timeouts, late responses and the length of the queue."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import pytest

from worker.sidecar import pool
from worker.sidecar.pool import BUSY, RequestPool

FAULT = {"pointer": "/architecture", "detail": "takes too long"}
REFUSED = {"ok": False, "faults": [FAULT]}
NUMBERS = count()
TIMEOUT_SECONDS = 60.0


def new_request() -> dict[str, Any]:
    """Return a request that differs from every earlier request."""
    return {"operation": "describe", "number": next(NUMBERS)}


class Waiting:
    """An operation that waits until it is released, without using CPU time."""

    def __init__(self) -> None:
        self.started = threading.Semaphore(0)
        self.released = threading.Event()
        self.calls = 0

    def __call__(self, request: dict[str, Any]) -> dict[str, Any]:
        self.calls += 1
        self.started.release()
        self.released.wait(TIMEOUT_SECONDS)
        return {"ok": True, "request": request}


class Spinning(Waiting):
    """An operation that uses CPU time until it is released."""

    def __call__(self, request: dict[str, Any]) -> dict[str, Any]:
        while not self.released.is_set():
            pass
        return super().__call__(request)


@pytest.fixture
def waiting() -> Iterator[Waiting]:
    operation = Waiting()
    yield operation
    operation.released.set()


@pytest.fixture
def spinning() -> Iterator[Spinning]:
    operation = Spinning()
    yield operation
    operation.released.set()


def wait_until(condition: Any) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def start(requests: RequestPool, request: dict[str, Any], operation: Waiting) -> None:
    """Repeat a request until it is in progress: a request that did not start is dropped."""
    before = operation.calls
    wait_until(lambda: requests.respond(request) == BUSY and operation.calls > before)


def wait_until_free(requests: RequestPool, capacity: int) -> None:
    semaphore: Any = requests._capacity
    wait_until(lambda: semaphore._value == capacity)


def burn(_: dict[str, Any]) -> dict[str, Any]:
    """Use a fifth of a second of CPU time, however long that takes."""
    end = time.thread_time() + 0.2
    while time.thread_time() < end:
        pass
    return {"ok": True}


class TestSlowRequests:
    def test_request_over_its_cpu_time_gets_the_fault_of_its_operation(
        self, spinning: Spinning
    ) -> None:
        limits: dict[str, Any] = {
            "threads": 1,
            "max_waiting": 1,
            "timeout_seconds": 0.3,
            "max_cpu_seconds": 0.001,
        }
        requests, request = RequestPool(spinning, too_slow=FAULT, **limits), new_request()
        wait_until(lambda: requests.respond(request) == REFUSED)
        assert RequestPool(spinning, too_slow=None, **limits).respond(new_request()) == BUSY

    def test_request_that_only_waits_gets_no_fault(self, waiting: Waiting) -> None:
        requests = RequestPool(
            waiting,
            threads=1,
            max_waiting=1,
            too_slow=FAULT,
            timeout_seconds=0.3,
            max_cpu_seconds=0.1,
        )
        assert requests.respond(new_request()) == BUSY

    def test_requests_that_slow_each_other_down_get_no_fault(self) -> None:
        requests = RequestPool(burn, threads=4, max_waiting=4, too_slow=FAULT, timeout_seconds=0.3)
        several = [new_request() for _ in range(4)]
        with ThreadPoolExecutor(4) as clients:
            first = list(clients.map(requests.respond, several))
            assert BUSY in first, "they share one interpreter"
            assert REFUSED not in first
            requests._timeout_seconds = TIMEOUT_SECONDS
            assert list(clients.map(requests.respond, several)) == [{"ok": True}] * 4

    def test_response_over_the_cpu_time_is_refused_too(self) -> None:
        requests = RequestPool(burn, threads=1, max_waiting=1, too_slow=FAULT, max_cpu_seconds=0.05)
        assert requests.respond(new_request()) == REFUSED


class TestLateResponses:
    def test_repeated_request_gets_the_late_response_once(self, waiting: Waiting) -> None:
        requests = RequestPool(
            waiting, threads=1, max_waiting=1, too_slow=FAULT, timeout_seconds=0.05
        )
        request = new_request()
        start(requests, request, waiting)
        assert requests.respond(request) == BUSY
        waiting.released.set()
        wait_until_free(requests, 2)
        requests._timeout_seconds = 0
        reordered = dict(reversed(request.items()))
        assert requests.respond(reordered) == {"ok": True, "request": request}
        assert waiting.calls == 1
        requests._timeout_seconds = TIMEOUT_SECONDS
        assert requests.respond(request)["ok"]
        assert waiting.calls == 2, "a response that was sent is not kept"

    def test_equal_requests_at_the_same_time_are_processed_once(
        self, waiting: Waiting, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        requests = RequestPool(
            waiting, threads=2, max_waiting=1, too_slow=FAULT, timeout_seconds=TIMEOUT_SECONDS
        )
        submit, submitted = requests._submit, threading.Semaphore(0)

        def counted(*arguments: Any) -> Any:
            pending = submit(*arguments)
            submitted.release()
            return pending

        monkeypatch.setattr(requests, "_submit", counted)
        with ThreadPoolExecutor(3) as clients:
            responses = clients.map(requests.respond, [new_request()] * 3)
            assert all(submitted.acquire(timeout=TIMEOUT_SECONDS) for _ in range(3))
            waiting.released.set()
            assert all(response["ok"] for response in responses)
        assert waiting.calls == 1

    def test_only_the_newest_late_responses_are_kept_and_not_for_long(
        self, waiting: Waiting, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        requests = RequestPool(
            waiting, threads=8, max_waiting=0, too_slow=FAULT, timeout_seconds=0.1
        )
        monkeypatch.setattr(pool, "MAX_LATE", 3)
        several = [new_request() for _ in range(8)]
        for request in several:
            start(requests, request, waiting)
        waiting.released.set()
        wait_until_free(requests, 8)
        requests._drop_late_responses()
        assert len(requests._pending) == 3
        calls = waiting.calls
        assert requests.respond(several[-1])["request"] == several[-1]
        assert waiting.calls == calls
        monkeypatch.setattr(pool, "LATE_SECONDS", 0)
        requests._drop_late_responses()
        assert not requests._pending


class TestQueue:
    def test_request_that_has_not_started_is_dropped(self, waiting: Waiting) -> None:
        requests = RequestPool(
            waiting, threads=1, max_waiting=1, too_slow=FAULT, timeout_seconds=0.1
        )
        start(requests, new_request(), waiting)
        assert requests.respond(new_request()) == BUSY
        waiting.released.set()
        requests._timeout_seconds = TIMEOUT_SECONDS
        assert requests.respond(new_request())["ok"]
        assert waiting.calls == 2, "the dropped request was never processed"

    def test_request_is_refused_at_once_when_the_queue_is_full(self, waiting: Waiting) -> None:
        requests = RequestPool(
            waiting, threads=1, max_waiting=1, too_slow=FAULT, timeout_seconds=TIMEOUT_SECONDS
        )
        with ThreadPoolExecutor(2) as clients:
            accepted = [clients.submit(requests.respond, new_request()) for _ in range(2)]
            assert waiting.started.acquire(timeout=TIMEOUT_SECONDS)
            wait_until_free(requests, 0)
            assert requests.respond(new_request()) == BUSY
            waiting.released.set()
            assert all(response.result(TIMEOUT_SECONDS)["ok"] for response in accepted)
        assert requests.respond(new_request())["ok"]
