"""uvicorn's HTTP protocol with a limit on everything that is not a body that somebody reads.

httptools buffers a header until its end, however long it is, and copies the buffer with every
piece that arrives: without a limit, a single client without a key could stall the service.
"""

from typing import Any

from api.http.timed_protocol import TimedProtocol, whole_response

#: Of the request line and headers together; also of what stands between two chunks of a body.
MAX_HEAD_BYTES = 65_536
#: Of a body that is still on its way when its response is complete.
MAX_DROPPED_BYTES = 1_048_576
#: For so long a connection stays open after a refusal, though nothing more is read. Closing a
#: connection with unread data resets it, and the client might never receive the response.
LINGER_SECONDS = 1.0

HEAD_TOO_LARGE = whole_response(
    431, f"The request line and headers exceed the limit of {MAX_HEAD_BYTES:,} bytes."
)


class LimitedProtocol(TimedProtocol):
    """Counts the bytes since the parser last finished a head or a piece of a body.

    Bytes that follow such an end in the same read are not counted, so up to one read more than
    the limit may be buffered.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._buffered_bytes = 0
        self._dropped_bytes = 0
        self._is_refused = False

    def data_received(self, data: bytes) -> None:
        """Parse the data, and refuse a head that exceeds the limit."""
        if self._is_refused:
            return
        self._buffered_bytes += len(data)
        super().data_received(data)
        if self._buffered_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self._refuse()

    def on_headers_complete(self) -> None:
        """Start counting again after a complete head."""
        self._buffered_bytes = self._dropped_bytes = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Start counting again after a piece of a body."""
        self._buffered_bytes = 0
        super().on_body(body)
        if self.cycle.response_complete:
            self._dropped_bytes += len(body)
            if self._dropped_bytes > MAX_DROPPED_BYTES:
                self._stop_reading()

    def _refuse(self) -> None:
        if not self.can_write_response():
            self._is_refused = True
            self.transport.close()
            return
        self.transport.write(HEAD_TOO_LARGE)
        self._stop_reading()

    def _stop_reading(self) -> None:
        if not self._is_refused:
            self._is_refused = True
            self.flow.pause_reading()
            self.transport.write_eof()
            self.loop.call_later(LINGER_SECONDS, self.transport.close)
