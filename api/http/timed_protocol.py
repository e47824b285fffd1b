"""uvicorn's HTTP protocol with time limits, where connections without a key make room for others.

Whether a connection has a key shows only in its first request. So when there are too many
connections, the service closes the connection that has waited longest for a whole request and whose
last request came without a valid key.
"""

import time
from asyncio import TimerHandle
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from api.http.guard import SECURITY_HEADERS
from api.http.problem import RETRY_AFTER_SECONDS, problem

#: Connections that may be open; beyond, some are closed, or else requests are refused.
MAX_CONNECTIONS = 2000
#: From the connection, or from the first byte of a further request, to the end of its headers.
HEAD_SECONDS = 10.0
#: From the headers to the end of a body; with a key, to each further piece of it.
BODY_SECONDS = 30.0
#: The field of a request's state that is set if its key is valid.
HAS_KEY = "has_key"

TOO_MANY = "The service has too many connections. Try again."
TOO_SLOW = f"The headers of a request must be complete {HEAD_SECONDS:.0f} s after its begin."


async def too_many_connections(scope: Any, receive: Any, send: Any) -> None:
    """Refuse a request, as an ASGI application."""
    headers = {"Retry-After": RETRY_AFTER_SECONDS, "Connection": "close"}
    await problem(503, TOO_MANY, instance=scope["path"], headers=headers)(scope, receive, send)


def whole_response(status: int, detail: str) -> bytes:
    """Return the bytes of a response to a request that could not go through the application."""
    response = problem(status, detail, instance="/")
    headers = [*response.raw_headers, *SECURITY_HEADERS, (b"connection", b"close")]
    lines = [b"%b: %b\r\n" % header for header in headers]
    return b"".join([STATUS_LINE[status], *lines, b"\r\n", bytes(response.body)])


class TimedProtocol(HttpToolsProtocol):
    """A connection whose requests must arrive in time."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._application = self.app
        #: Since when no whole request is here; None while one is processed.
        self.idle_since: float | None = None
        self._has_begun = False
        #: Whether there was room for this connection, or another was closed for it.
        self._has_room = True
        self._timer: TimerHandle | None = None

    @property
    def has_key(self) -> bool:
        """Return whether the last request has a valid key, as far as is known."""
        scope = cast("dict[str, Any] | None", self.scope)
        return scope is not None and bool(scope["state"].get(HAS_KEY))

    def connection_made(self, transport: Any) -> None:
        """Start the time for the first request."""
        super().connection_made(transport)
        self.idle_since = time.monotonic()
        self._start_timer(HEAD_SECONDS)
        self._has_room = self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the time."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse the data; a further request begins with its first byte."""
        if self.idle_since is not None and self._timer is None:
            self._start_timer(HEAD_SECONDS)
        super().data_received(data)

    def on_message_begin(self) -> None:
        """Note that a request has begun."""
        self._has_begun = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Start the time for a body, and refuse the request where there is no room."""
        self._has_begun = False
        self._start_timer(BODY_SECONDS)
        is_crowded = not self._has_room and len(self.connections) > MAX_CONNECTIONS
        self.app = too_many_connections if is_crowded else self._application
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Give the next piece of a body its time; without a key, it is for all pieces together."""
        if self.has_key:
            self._start_timer(BODY_SECONDS)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Stop the time: the request is here."""
        self._stop_timer()
        self.idle_since = None
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        if not self.pipeline:
            self.idle_since = time.monotonic()
        super().on_response_complete()

    def can_write_response(self) -> bool:
        """Return whether a response is expected next, and not the rest of an earlier response."""
        return self.cycle is None or self.cycle.response_complete

    def _start_timer(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(seconds, self._end_time)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end_time(self) -> None:
        """Close the connection; say why if a request has begun to arrive."""
        self._timer = None
        if self.transport.is_closing():
            return
        if self.flow.read_paused:  # we do not read: the client is not at fault
            self._start_timer(BODY_SECONDS)
            return
        if self._has_begun and self.can_write_response():
            self.transport.write(whole_response(408, TOO_SLOW))
        self.transport.close()

    def _make_room(self) -> bool:
        """Close the longest idle connection without a key if there are too many connections.

        Returns:
            False if there are too many and none can be closed.
        """
        if len(self.connections) <= MAX_CONNECTIONS:
            return True
        others = [
            connection
            for connection in cast("set[TimedProtocol]", self.connections)
            if connection is not self and not connection.transport.is_closing()
        ]
        if len(others) < MAX_CONNECTIONS:
            return True
        idle = {
            other: other.idle_since
            for other in others
            if other.idle_since is not None and not other.has_key
        }
        if idle:
            min(idle, key=lambda other: idle[other]).transport.abort()
        return bool(idle)
