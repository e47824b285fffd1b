"""A process that handles requests of one operation, and our side of the connection to it."""

import asyncio
import signal
import socket
from contextlib import suppress

import orjson
import structlog

from shared.sidecar import MAX_RESPONSE_BYTES
from worker.sidecar.fork_server import Forked, ForkServer
from worker.sidecar.limits import allow_cpu_seconds, limit_operation
from worker.sidecar.request import BUSY, Operation, Request, Response

log = structlog.get_logger()


def serve(operation: Operation, connection: socket.socket) -> None:
    """Respond to requests until the other side closes the connection."""
    limit_operation(operation)
    # The sidecar may be killed at any moment
    with suppress(ConnectionError), connection.makefile("rwb") as stream:
        for line in stream:
            allow_cpu_seconds(operation.cpu_seconds)
            try:
                response = operation.respond(orjson.loads(line))
            except MemoryError:
                response = operation.too_large()
            stream.write(orjson.dumps(response) + b"\n")
            stream.flush()
            if not operation.is_kept:
                return


class RequestProcess:
    """A process that handles one request at a time.

    Args:
        name: of the operation.
        operation: with its limits.
        server: starts the process.
    """

    def __init__(self, name: str, operation: Operation, server: ForkServer) -> None:
        self.server = server
        self._name = name
        self._operation = operation
        self._forked: Forked | None = server.fork(name)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    @property
    def is_alive(self) -> bool:
        """Return whether the process may get another request."""
        return self._forked is not None

    async def respond(self, request: Request) -> Response:
        """Return the response; a request that exceeds a limit ends the process and is refused."""
        try:
            async with asyncio.timeout(self._operation.elapsed_seconds):
                line = await self._exchange(orjson.dumps(request) + b"\n")
        except TimeoutError:
            self.end()
            return BUSY
        except BaseException:
            self.end()
            raise
        if not line.endswith(b"\n"):
            return self._explain(self.end())
        if not self._operation.is_kept:
            self.end()
        return orjson.loads(line)

    def end(self) -> int:
        """End the process and return the signal that ended it, or 0."""
        forked, self._forked = self._forked, None
        if forked is None:
            return 0
        if self._streams is not None:
            self._streams[1].close()
        return self.server.end(forked)

    async def _exchange(self, line: bytes) -> bytes:
        if self._streams is None:
            assert self._forked is not None, "a process that has ended gets no request"
            connection = self._forked.connection
            self._streams = await asyncio.open_connection(sock=connection, limit=MAX_RESPONSE_BYTES)
        reader, writer = self._streams
        try:
            writer.write(line)
            await writer.drain()
            return await reader.readline()
        except ConnectionError:  # it ended in between
            return b""

    def _explain(self, ended_by: int) -> Response:
        """Return the response of a process that ended without one."""
        log.warning("request ended its process", operation=self._name, signal=ended_by)
        if ended_by == signal.SIGXCPU:
            return self._operation.too_slow()
        # `bad_alloc` of a library aborts, and the kernel kills what takes the machine's memory.
        if ended_by in {signal.SIGABRT, signal.SIGKILL}:
            return self._operation.too_large()
        return self._operation.crashed() if ended_by else BUSY
