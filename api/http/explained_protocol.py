"""The HTTP protocol that explains what it cannot parse, as every other error is explained."""

import sys

from api.http.guard import MAX_ADDRESS_BYTES
from api.http.parser_errors import TOO_LONG, parser_problem
from api.http.protocol import LimitedProtocol
from api.http.timed_protocol import whole_response


class ExplainedProtocol(LimitedProtocol):
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
        has_begun = self.scope is not None  # empty lines before a request do not begin it
        if has_begun and not self.headers and len(self.url) > MAX_ADDRESS_BYTES:
            self._explain(*TOO_LONG)
        else:
            super()._refuse()

    def _explain(self, status: int, detail: str) -> None:
        cycle = self.cycle
        if not self.can_write_response():
            if not cycle.more_body:
                # The error is in the request after it: respond to it first, and then close.
                self._is_refused, cycle.keep_alive = True, False
                return
            # The error is in its body.
            if cycle.response_started:
                self._is_refused = True
                self.transport.close()
                return
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.write(whole_response(status, detail))
        self._stop_reading()
