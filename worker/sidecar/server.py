"""The sidecar's server: one request and one response per connection."""

import importlib
import os
import socket
import socketserver
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import orjson
import structlog

from shared import logs
from shared.settings import read_settings
from shared.sidecar import MAX_REQUEST_BYTES, TIMEOUT_SECONDS, listen
from worker.architectures.zoo.timm_models import import_timm
from worker.sidecar.operations import OPERATIONS
from worker.sidecar.pool import RequestPool
from worker.sidecar.request import RequestRefused, fault
from worker.sidecar.warm_up import warm_up

log = structlog.get_logger()


def respond(request: dict[str, Any]) -> dict[str, Any]:
    """Return the response to a request."""
    try:
        return {"ok": True, **OPERATIONS[request["operation"]].run(request)}
    except RequestRefused as refused:
        return {"ok": False, "faults": refused.faults}
    except (KeyError, TypeError) as error:
        return _malformed(error)


def _malformed(error: Exception) -> dict[str, Any]:
    return {"ok": False, "faults": [fault("", f"The request is malformed: {error}.")]}


class SidecarServer(socketserver.ThreadingMixIn, socketserver.BaseServer):
    """A server on a socket that is already listening."""

    daemon_threads = True

    def __init__(self, listening: socket.socket) -> None:
        super().__init__(listening.getsockname(), Handler)
        self.socket = listening
        self.pools = {
            name: RequestPool(
                respond,
                threads=operation.threads,
                max_waiting=operation.max_waiting,
                too_slow=operation.too_slow,
            )
            for name, operation in OPERATIONS.items()
        }

    def fileno(self) -> int:
        """Return the file descriptor for the selector."""
        return self.socket.fileno()

    def get_request(self) -> Any:
        """Accept the next connection."""
        return self.socket.accept()

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        request.close()


class Handler(socketserver.StreamRequestHandler):
    """One connection."""

    timeout = TIMEOUT_SECONDS

    def handle(self) -> None:
        """Read the request and write the response."""
        line = self.rfile.readline(MAX_REQUEST_BYTES)
        if not line:
            return
        server: Any = self.server
        try:
            request = orjson.loads(line)
            response = server.pools[request["operation"]].respond(request)
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            response = _malformed(error)
        except Exception:
            log.exception("request failed")
            return
        self.wfile.write(orjson.dumps(response) + b"\n")


def _import_large_libraries() -> None:
    """Import what the first request about a table or a large network would wait for."""
    importlib.import_module("worker.data.table")
    import_timm()


def main() -> None:
    """Serve until the process is ended."""
    settings = read_settings()
    logs.configure("sidecar", settings.log_level)
    settings.make_directories()
    warm_up()
    url = urlsplit(settings.sidecar)
    if url.scheme == "unix":
        Path(url.path).unlink(missing_ok=True)
    with listen(settings.sidecar) as listening:
        if url.scheme == "unix":
            os.chmod(url.path, 0o600)  # noqa: PTH101
        log.info("listening", address=settings.sidecar)
        # The imports take seconds; requests about small networks need not wait for them.
        Thread(target=_import_large_libraries, daemon=True).start()
        SidecarServer(listening).serve_forever()
