"""The HTTP protocol that explains what it cannot parse, as every other error is explained."""

import sys

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from api.http import protocol
from api.http.guard import MAX_ADDRESS_BYTES, SECURITY_HEADERS
from api.http.parser_errors import TOO_LONG, parser_problem
from api.http.problem import problem


def whole_response(status: int, detail: str) -> bytes:
    """Return the bytes of a response to a request that could not go through the application."""
    response = problem(status, detail, instance="/")
    headers = [*response.raw_headers, *SECURITY_HEADERS, (b"connection", b"close")]
    lines = [b"%b: %b\r\n" % header for header in headers]
    return b"".join([STATUS_LINE[status], *lines, b"\r\n", bytes(response.body)])


class ExplainedProtocol(protocol.LimitedProtocol):
    """Answers an error of the parser with a problem, in the place of the request that has it."""

    _data = b""

    def data_received(self, data: bytes) -> None:
        """Parse the data."""
        self._data = data
        super().data_received(data)
        self._data = b""

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - the same for every error
        """Refuse what the parser could not parse; uvicorn calls this in its handler of the error.

        Args:
            msg: uvicorn's text for every such error.
        """
        self._explain(*parser_problem(sys.exception(), self._data))

    def _refuse(self) -> None:
        is_of_address = not self.headers and len(self.url) > MAX_ADDRESS_BYTES
        if is_of_address:
            self._explain(*TOO_LONG)
        else:
            super()._refuse()

    def _explain(self, status: int, detail: str) -> None:
        self._is_refused = True
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            if not cycle.more_body:
                # The error is in the request after it: respond to it first, and then close.
                cycle.keep_alive = False
                return
            # The error is in its body.
            if cycle.response_started:
                self.transport.close()
                return
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.write(whole_response(status, detail))
        self.transport.write_eof()
        self.loop.call_later(protocol.LINGER_SECONDS, self.transport.close)
