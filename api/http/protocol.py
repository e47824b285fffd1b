"""HTTP as it comes off the wire: uvicorn's protocol, with a bound on all that is not a body.

httptools gathers a header until its end, however long that is, and copies it with each piece that
arrives: a single client without a key could hold up everybody.
"""

from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from api.errors import problem
from api.http.guard import HEADERS

#: Of a request's line and headers; also of what stands between the pieces of a body, and after it.
MOST_HEAD_BYTES = 65_536
#: For so long what still comes is thrown away: a connection closed before its end would be reset,
#: and the client might never read why.
LINGER_SECONDS = 1.0


def _too_large() -> bytes:
    """The whole answer; it is given before there is a request that could go through the app."""
    bound = f"the {MOST_HEAD_BYTES} bytes that are admitted"
    detail = f"The request's line and headers together have more than {bound}."
    answer = problem(431, detail, instance="/")
    headers = [*answer.raw_headers, *HEADERS, (b"connection", b"close")]
    lines = [b"%b: %b\r\n" % header for header in headers]
    return b"".join([STATUS_LINE[431], *lines, b"\r\n", bytes(answer.body)])


TOO_LARGE = _too_large()


class BoundedProtocol(HttpToolsProtocol):
    """Counts what the parser was given since it last came to an end: of a head, of a body's piece.

    What follows such an end in the same read is not counted, so a read more may be taken in.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._gathered = 0
        self._is_refused = False

    def data_received(self, data: bytes) -> None:
        """Parse, and refuse a head that has grown too long."""
        if self._is_refused:
            return
        self._gathered += len(data)
        super().data_received(data)
        if self._gathered > MOST_HEAD_BYTES and not self.transport.is_closing():
            self._refuse()

    def on_headers_complete(self) -> None:
        """The parser came to the end of a head."""
        self._gathered = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """The parser has a piece of a body."""
        self._gathered = 0
        super().on_body(body)

    def _refuse(self) -> None:
        self._is_refused = True
        if self.cycle is not None and not self.cycle.response_complete:
            # Another request of this connection is being answered: nothing may come in between.
            self.transport.close()
            return
        self.transport.write(TOO_LARGE)
        self.transport.write_eof()
        self.loop.call_later(LINGER_SECONDS, self.transport.close)
