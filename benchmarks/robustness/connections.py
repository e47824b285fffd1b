"""Idle connections without a key, and bodies that are too large."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

from benchmarks.measurement import Measurement, against_limit, in_turn
from benchmarks.robustness.service import Target

IDLE = 2000
BODIES, BODY_BYTES = 30, 10_000_000
MAX_GROWTH_MIB = 40e6 / 2**20


def measure(target: Target) -> Iterator[Measurement]:
    """Yield the measurements."""
    yield in_turn(
        f"GET /v1/jobs/{{id}} next to {IDLE:,} idle connections",
        "p99 in ms / without them",
        lambda: _next_to_idle_connections(target),
        lambda: target.p99_ms(target.load.job_url),
        target="≤ 3",
        unit="ms",
    )
    before = target.memory_mib("api")
    growth = [_send_bodies(target) - before for _ in range(3)]
    name = f"{BODIES} parallel bodies of 10 MB"
    ratio = "MiB that the API grows / 40 MB"
    yield against_limit(name, growth, MAX_GROWTH_MIB, ratio_of=ratio, unit="MiB")


def _next_to_idle_connections(target: Target) -> float:
    with ExitStack() as stack:
        for _ in range(IDLE):
            stack.enter_context(target.connect())
        return target.p99_ms(target.load.job_url)


def _send_bodies(target: Target) -> float:
    """Send all bodies at once and return the memory of the API while they arrive."""
    with ThreadPoolExecutor(BODIES) as clients:
        statuses = list(clients.map(lambda _: _send_body(target), range(BODIES)))
        if any(b" 413 " not in status for status in statuses):
            raise RuntimeError(f"other answers than 413: {set(statuses)}")
        return target.memory_mib("api")


def _send_body(target: Target) -> bytes:
    """Send a body in chunks, whose length is not declared, and return the status line."""
    headers = [f"{name}: {value}\r\n" for name, value in target.load.headers.items()]
    head = "POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n"
    piece = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    with target.connect() as connection:
        connection.sendall(f"{head}{''.join(headers)}\r\n".encode())
        with suppress(ConnectionError):
            for _ in range(BODY_BYTES // 65_536):
                connection.sendall(piece)
            connection.sendall(b"0\r\n\r\n")
        return _first_line(connection)


def _first_line(connection: socket.socket) -> bytes:
    with suppress(ConnectionError):
        return connection.recv(65_536).split(b"\r\n", 1)[0]
    return b""
