"""uvicorn's HTTP protocol with a limit on everything that is not a body.

httptools buffers a header until its end, however long it is, and copies the buffer with every
piece that arrives: without a limit, a single client without a key could stall the service.
"""

from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from api.http.guard import SECURITY_HEADERS
from api.http.problem import problem

#: Of the request line and headers together; also of what stands between two chunks of a body.
MAX_HEAD_BYTES = 65_536
#: For so long further data is read and dropped after a refusal. Closing a connection with unread
#: data resets it, and the client might never receive the response.
LINGER_SECONDS = 1.0


def _head_too_large() -> bytes:
    """Return the whole response; the parser has no request yet that could go through the app."""
    detail = f"The request line and headers exceed the limit of {MAX_HEAD_BYTES:,} bytes."
    response = problem(431, detail, instance="/")
    headers = [*response.raw_headers, *SECURITY_HEADERS, (b"connection", b"close")]
    lines = [b"%b: %b\r\n" % header for header in headers]
    return b"".join([STATUS_LINE[431], *lines, b"\r\n", bytes(response.body)])


HEAD_TOO_LARGE = _head_too_large()


class LimitedProtocol(HttpToolsProtocol):
    """Counts the bytes since the parser last finished a head or a piece of a body.

    Bytes that follow such an end in the same read are not counted, so up to one read more than
    the limit may be buffered.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._buffered_bytes = 0
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
        self._buffered_bytes = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Start counting again after a piece of a body."""
        self._buffered_bytes = 0
        super().on_body(body)

    def _refuse(self) -> None:
        self._is_refused = True
        if self.cycle is not None and not self.cycle.response_complete:
            # The response to an earlier request of this connection is not complete: close, since
            # writing here would corrupt it.
            self.transport.close()
            return
        self.transport.write(HEAD_TOO_LARGE)
        self.transport.write_eof()
        self.loop.call_later(LINGER_SECONDS, self.transport.close)
