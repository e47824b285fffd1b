"""A fake service for the client: it responds as a test wants, and may break connections."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from trainshed import Client

#: A complete id: the client resolves any shorter text with another request.
JOB_ID = "job_01m847ypybr28kppjvjqwjja05"
Respond = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def http_service(respond: Respond) -> Iterator[Client]:
    """Run a service that handles every request with `respond`; yield a client of it."""

    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            respond(self)

        do_GET = do_POST = do_PATCH = do_DELETE = _handle  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    # Its shutdown waits for this interval.
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        with Client(f"http://127.0.0.1:{server.server_port}", "k" * 20) as client:
            yield client
    finally:
        server.shutdown()
        server.server_close()


def send(handler: BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
    """Send a whole response."""
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def request_body(handler: BaseHTTPRequestHandler) -> bytes:
    """Return the body of a request."""
    return handler.rfile.read(int(handler.headers["Content-Length"] or 0))
