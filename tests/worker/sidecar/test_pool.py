"""The pool of an operation: timeouts, late responses and the length of the queue."""

import asyncio
from collections.abc import Coroutine
from itertools import count
from typing import Any

import pytest

from worker.sidecar import pool
from worker.sidecar.pool import RequestPool
from worker.sidecar.request import BUSY, Operation

NUMBERS = count()
TIMEOUT_SECONDS = 60.0


def new_request() -> dict[str, Any]:
    """Return a request that differs from every earlier request."""
    return {"operation": "describe", "number": next(NUMBERS)}


class Processes:
    """Stands for the processes of an operation: they wait until they are released."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.released = asyncio.Event()
        self.started = 0
        self.requests = list[dict[str, Any]]()
        self.running = self.most_running = 0
        self.server: Any = "first"
        processes = self

        class Process:
            """One process."""

            def __init__(self, _name: str, operation: Operation, server: Any) -> None:
                self.server, self.is_alive = server, operation.is_kept
                processes.started += 1

            def end(self) -> int:
                self.is_alive = False
                return 0

            async def respond(self, request: dict[str, Any]) -> dict[str, Any]:
                processes.requests.append(request)
                processes.running += 1
                processes.most_running = max(processes.running, processes.most_running)
                await processes.released.wait()
                processes.running -= 1
                return {"ok": True, "request": request}

        monkeypatch.setattr(pool, "RequestProcess", Process)

    def pool(self, *, timeout_seconds: float = TIMEOUT_SECONDS, **limits: Any) -> RequestPool:
        """Return a pool that starts these processes."""
        operation = Operation(lambda request: request, **limits)
        return RequestPool(
            "describe", operation, lambda: self.server, timeout_seconds=timeout_seconds
        )


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> Processes:
    return Processes(monkeypatch)


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a test in an event loop."""
    asyncio.run(asyncio.wait_for(coroutine, TIMEOUT_SECONDS))


async def settle() -> None:
    """Let all tasks run until they wait."""
    for _ in range(20):
        await asyncio.sleep(0)


class TestLateResponses:
    def test_repeated_request_gets_the_late_response_once(self, processes: Processes) -> None:
        async def test() -> None:
            requests, request = processes.pool(timeout_seconds=0.01), new_request()
            assert await requests.respond(request) == BUSY
            assert await requests.respond(request) == BUSY
            processes.released.set()
            await settle()
            reordered = dict(reversed(request.items()))
            assert await requests.respond(reordered) == {"ok": True, "request": request}
            assert len(processes.requests) == 1
            assert (await requests.respond(request))["ok"]
            assert len(processes.requests) == 2, "a response that was sent is not kept"

        run(test())

    def test_reason_is_that_of_the_operation(self, processes: Processes) -> None:
        async def test() -> None:
            requests = processes.pool(timeout_seconds=0.01, late="It continues.")
            response = await requests.respond(new_request())
            assert response == {"ok": False, "busy": "It continues."}

        run(test())

    def test_equal_requests_at_the_same_time_are_processed_once(self, processes: Processes) -> None:
        async def test() -> None:
            requests, request = processes.pool(), new_request()
            clients = [asyncio.create_task(requests.respond(request)) for _ in range(3)]
            await settle()
            processes.released.set()
            assert all(response["ok"] for response in await asyncio.gather(*clients))
            assert len(processes.requests) == 1

        run(test())

    def test_only_the_newest_late_responses_are_kept_and_not_for_long(
        self, processes: Processes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pool, "MAX_LATE", 3)

        async def test() -> None:
            requests = processes.pool(timeout_seconds=0.01, processes=8)
            several = [new_request() for _ in range(8)]
            assert await asyncio.gather(*map(requests.respond, several)) == [BUSY] * 8
            processes.released.set()
            await settle()
            requests._drop_late_responses()
            assert len(requests._pending) == 3
            assert (await requests.respond(several[-1]))["request"] == several[-1]
            assert len(processes.requests) == 8
            monkeypatch.setattr(pool, "LATE_SECONDS", 0)
            requests._drop_late_responses()
            assert not requests._pending

        run(test())


class TestQueue:
    def test_no_more_requests_are_in_progress_than_processes_are_allowed(
        self, processes: Processes
    ) -> None:
        async def test() -> None:
            requests = processes.pool(processes=2)
            clients = [asyncio.create_task(requests.respond(new_request())) for _ in range(6)]
            await settle()
            assert processes.running == 2
            processes.released.set()
            assert all(response["ok"] for response in await asyncio.gather(*clients))
            assert processes.most_running == 2

        run(test())

    def test_request_that_has_not_started_is_dropped(self, processes: Processes) -> None:
        async def test() -> None:
            requests = processes.pool(timeout_seconds=0.05, processes=1)
            first = asyncio.create_task(requests.respond(new_request()))
            await settle()
            assert await requests.respond(new_request()) == BUSY
            await first
            processes.released.set()
            await settle()
            assert len(processes.requests) == 1, "the dropped request was never processed"
            assert (await requests.respond(new_request()))["ok"]

        run(test())

    def test_request_that_waits_for_its_turn_survives_while_a_client_waits(
        self, processes: Processes
    ) -> None:
        async def test() -> None:
            requests, shared = processes.pool(processes=1), new_request()
            first = asyncio.create_task(requests.respond(new_request()))
            await settle()
            stays = asyncio.create_task(requests.respond(shared))
            await settle()
            requests._timeout_seconds = 0.01
            assert await requests.respond(shared) == BUSY
            processes.released.set()
            assert (await first)["ok"]
            assert (await stays)["ok"], "another client's timeout is not its own"

        run(test())

    def test_request_is_refused_at_once_when_the_queue_is_full(self, processes: Processes) -> None:
        async def test() -> None:
            requests = processes.pool(processes=1, max_waiting=1)
            accepted = [asyncio.create_task(requests.respond(new_request())) for _ in range(2)]
            await settle()
            assert await requests.respond(new_request()) == BUSY
            processes.released.set()
            assert all(response["ok"] for response in await asyncio.gather(*accepted))
            assert (await requests.respond(new_request()))["ok"]

        run(test())


class TestProcesses:
    def test_process_that_is_kept_serves_the_next_request(self, processes: Processes) -> None:
        async def test() -> None:
            processes.released.set()
            for is_kept, started in ((True, 1), (False, 3)):
                processes.started = 0
                requests = processes.pool(is_kept=is_kept)
                for _ in range(3):
                    await requests.respond(new_request())
                assert processes.started == started

        run(test())

    def test_process_of_an_earlier_fork_server_is_replaced(self, processes: Processes) -> None:
        async def test() -> None:
            processes.released.set()
            requests = processes.pool(is_kept=True)
            await requests.respond(new_request())
            processes.server = "second"
            await requests.respond(new_request())
            await requests.respond(new_request())
            assert processes.started == 2

        run(test())
