"""A real sidecar in a process of its own."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from box.processes import processes_of
from shared import sidecar
from shared.errors import Unavailable

TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True)
class RunningSidecar:
    """A sidecar that has answered."""

    process: "subprocess.Popen[bytes]"
    address: str
    home: Path

    @property
    def socket(self) -> Path:
        """Return the path of its socket."""
        return Path(self.address.removeprefix("unix://"))

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send a request and return the response."""
        return sidecar.send(self.address, request, timeout_seconds=TIMEOUT_SECONDS)

    def send(self, line: bytes) -> dict[str, Any]:
        """Send bytes and return the response."""
        with sidecar._connect(self.address, TIMEOUT_SECONDS) as connection:
            connection.sendall(line)
            return orjson.loads(connection.makefile("rb").readline())

    def processes(self) -> list[int]:
        """Return the ids of all its processes."""
        return list(processes_of(self.home))

    def wait_until_gone(self) -> None:
        """Wait until it has no process."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while self.processes():
            assert time.monotonic() < deadline, "a process stays"
            time.sleep(0.02)


@contextmanager
def start(home: Path, *, address: str | None = None) -> Iterator[RunningSidecar]:
    """Run a sidecar for a box's home."""
    address = address or f"unix://{home / 's'}"
    environment = os.environ | {"TRAINSHED_HOME": str(home), "TRAINSHED_SIDECAR_URL": address}
    with subprocess.Popen([sys.executable, "-m", "worker.sidecar"], env=environment) as process:
        started = RunningSidecar(process, address, home)
        try:
            _wait_until_it_answers(started)
            yield started
        finally:
            process.terminate()


def _wait_until_it_answers(started: RunningSidecar) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while True:
        try:
            sidecar.send(started.address, {"operation": "ping"})
        except Unavailable:
            assert started.process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return
