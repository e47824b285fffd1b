"""The sidecar's server: one request and one response per connection.

The server itself reads nothing that users send: each request is handled by a process with limits,
which is ended when it exceeds one.
"""

import asyncio
import importlib
import os
import signal
import socket
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import orjson
import structlog
import torch

from shared import logs
from shared.settings import read_settings
from shared.sidecar import MAX_REQUEST_BYTES, TIMEOUT_SECONDS, listen
from worker.architectures.zoo.timm_models import import_timm
from worker.sidecar.fork_server import ForkServer, ForkServerFailed
from worker.sidecar.operations import OPERATIONS
from worker.sidecar.pool import RequestPool
from worker.sidecar.request import malformed
from worker.sidecar.request_process import serve
from worker.sidecar.warm_up import warm_up

log = structlog.get_logger()


class SidecarServer:
    """Hands each request to the pool of its operation.

    Args:
        servers: start processes; the last that is ready is used.
    """

    def __init__(self, servers: list[ForkServer]) -> None:
        self.stopped = asyncio.Event()
        self._servers = servers
        self._pools = {
            name: RequestPool(name, operation, self._newest_server)
            for name, operation in OPERATIONS.items()
        }

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read the request of a connection and write the response."""
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                line = await reader.readline()
            if line:
                writer.write(orjson.dumps(await self._respond(line)) + b"\n")
                await writer.drain()
        except (TimeoutError, ValueError, ConnectionError) as error:  # too late, or too long
            log.info("connection dropped", error=str(error))
        except ForkServerFailed:
            log.exception("stopping, to be started again")
            self.stopped.set()
        finally:
            writer.close()

    async def _respond(self, line: bytes) -> dict[str, object]:
        try:
            request = orjson.loads(line)
            pool = self._pools[request["operation"]]
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            return malformed(error)
        return await pool.respond(request)

    def _newest_server(self) -> ForkServer:
        return next((each for each in reversed(self._servers) if each.is_ready), self._servers[0])


def start_fork_servers() -> list[ForkServer]:
    """Start a fork server at once, and another that imports large libraries first.

    The imports take seconds, for which requests about small networks need not wait.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # threads of OpenMP would not survive a fork
    warm_up()

    def main(name: str, connection: socket.socket) -> None:
        torch.set_num_threads(threads)
        serve(OPERATIONS[name], connection)

    return [ForkServer(main), ForkServer(main, _import_large_libraries)]


def _import_large_libraries() -> None:
    """Import what the first request about a table, a picture or a large network would wait for."""
    importlib.import_module("worker.data.table")
    importlib.import_module("worker.data.uploads")
    with suppress(ImportError):
        importlib.import_module("pandas")  # pyarrow imports it at the first table, where it exists
    import_timm()


def _listen(address: str) -> socket.socket:
    """Return a listening socket that only this user can connect to."""
    url = urlsplit(address)
    if url.scheme != "unix":
        return listen(address)
    Path(url.path).unlink(missing_ok=True)
    listening = listen(address)
    os.chmod(url.path, 0o600)  # noqa: PTH101
    return listening


async def _serve(listening: socket.socket, servers: list[ForkServer]) -> None:
    """Serve until a signal ends this process."""
    server = SidecarServer(servers)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, server.stopped.set)
    is_unix = listening.family == socket.AF_UNIX
    start = asyncio.start_unix_server if is_unix else asyncio.start_server
    serving = await start(server.handle, sock=listening, limit=MAX_REQUEST_BYTES)
    await server.stopped.wait()
    serving.close()


def main() -> None:
    """Serve until the process is ended."""
    settings = read_settings()
    logs.configure("sidecar", settings.log_level)
    settings.make_directories()
    servers = start_fork_servers()
    listening = _listen(settings.sidecar)
    log.info("listening", address=settings.sidecar)
    try:
        asyncio.run(_serve(listening, servers))
    finally:
        for each in servers:
            each.close()
