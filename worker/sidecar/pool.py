"""The processes of one operation, and how long its requests may take.

Each operation has processes of its own, so that pictures never delay networks. A request that has
not started is dropped when its last client leaves. A late response is kept for a while: a client
that repeats the request gets it at once.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from shared.sidecar import digest
from worker.sidecar.fork_server import ForkServer
from worker.sidecar.request import BUSY, Operation, Request, Response
from worker.sidecar.request_process import RequestProcess

#: Late responses that are kept, and for how long after the last request for them.
MAX_LATE = 16
LATE_SECONDS = 30.0


@dataclass(eq=False)
class PendingRequest:
    """A request on its way to a response."""

    response: asyncio.Task[Response] = field(init=False)
    #: Clients that wait for the response.
    waiting: int = 0
    has_started: bool = False
    requested_at: float = 0.0


class RequestPool:
    """Handles the requests of one operation, inside an event loop.

    Args:
        name: of the operation.
        operation: with its limits.
        server: returns the fork server to start processes with; it may change once.
        timeout_seconds: how long a caller waits for the response; None for the operation's time.
    """

    def __init__(
        self,
        name: str,
        operation: Operation,
        server: Callable[[], ForkServer],
        *,
        timeout_seconds: float | None = None,
    ) -> None:
        self._name = name
        self._operation = operation
        self._server = server
        self._timeout_seconds = timeout_seconds or operation.response_seconds
        self._turns = asyncio.Semaphore(operation.processes)
        self._idle: list[RequestProcess] = []
        #: Requests in progress and late responses, by the digest of the request.
        self._pending: dict[str, PendingRequest] = {}

    async def respond(self, request: Request) -> Response:
        """Return the response; that the sidecar is busy where it is late."""
        self._drop_late_responses()
        key = digest(request)
        pending = self._pending.get(key) or self._submit(key, request)
        if pending is None:
            return BUSY
        pending.requested_at = time.monotonic()
        pending.waiting += 1
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await asyncio.shield(pending.response)
        except TimeoutError:
            return {"ok": False, "busy": self._operation.late}
        finally:
            pending.waiting -= 1
            is_dropped = not pending.has_started and not pending.waiting
            if is_dropped:
                pending.response.cancel()
            if pending.response.done() or is_dropped:
                self._pending.pop(key, None)

    def _submit(self, key: str, request: Request) -> PendingRequest | None:
        """Return a new pending request; None where the queue is full."""
        unfinished = sum(not pending.response.done() for pending in self._pending.values())
        if unfinished >= self._operation.processes + self._operation.max_waiting:
            return None
        pending = self._pending[key] = PendingRequest()
        pending.response = asyncio.create_task(self._process(pending, request))
        return pending

    async def _process(self, pending: PendingRequest, request: Request) -> Response:
        async with self._turns:
            pending.has_started = True
            process = self._take_process()
            response = await process.respond(request)
            if process.is_alive:
                self._idle.append(process)
            return response

    def _take_process(self) -> RequestProcess:
        """Return an idle process, or start another."""
        server = self._server()
        while self._idle:
            process = self._idle.pop()
            if process.server is server:
                return process
            process.end()  # it would import again what the new server has imported
        return RequestProcess(self._name, self._operation, server)

    def _drop_late_responses(self) -> None:
        """Drop the responses that no client has requested again."""
        oldest = time.monotonic() - LATE_SECONDS
        late = [key for key, pending in self._pending.items() if self._is_late(pending)]
        for position, key in enumerate(reversed(late)):
            if position >= MAX_LATE or self._pending[key].requested_at < oldest:
                del self._pending[key]

    @staticmethod
    def _is_late(pending: PendingRequest) -> bool:
        return pending.response.done() and not pending.waiting
