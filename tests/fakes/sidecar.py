"""Fake sidecars: a server on a socket, and functions that answer its requests."""

import socketserver
from collections.abc import Callable
from typing import Any

import orjson

from shared.sidecar import listen

Respond = Callable[[dict[str, Any]], dict[str, Any]]


def accept_everything(request: dict[str, Any]) -> dict[str, Any]:
    """Respond like a sidecar that finds no fault in any network."""
    if request["operation"] in {"preview", "samples", "tested_samples"}:
        return {"ok": True, "png": ""}
    if request["operation"] == "analysis":
        return {"ok": True, "memory_mib": 12.5}
    parameter_count = {"trainable": 1234, "with_statistics": 1240}
    memory = {"memory_mib": 7.5} if "batch_size" in request else {}
    return {"ok": True, "parameter_count": parameter_count, **memory}


class FakeSidecar(socketserver.ThreadingMixIn, socketserver.BaseServer):
    """A server that speaks the sidecar's protocol and responds as the test wants."""

    daemon_threads = True

    def __init__(self, address: str) -> None:
        self.socket = listen(address)
        super().__init__(self.socket.getsockname(), _Handler)
        #: Every request received so far.
        self.requests: list[dict[str, Any]] = []
        self.respond: Respond = accept_everything

    def fileno(self) -> int:
        return self.socket.fileno()

    def get_request(self) -> Any:
        return self.socket.accept()

    def shutdown_request(self, request: Any) -> None:
        request.close()


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        sidecar: Any = self.server
        line = self.rfile.readline()
        if line:
            request = orjson.loads(line)
            sidecar.requests.append(request)
            self.wfile.write(orjson.dumps(sidecar.respond(request)) + b"\n")
