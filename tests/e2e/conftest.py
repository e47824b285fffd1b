"""A real box on its embedded default, as started by `make up`."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from box.processes import processes_of
from trainshed import Client

ROOT = Path(__file__).parents[2]
#: Several times what anything takes on two cores that other tests use at the same time.
TIMEOUT_SECONDS = 240.0


def wait_until(condition: Callable[[], Any], description: str) -> None:
    """Wait until the condition holds; fail with the description after the timeout."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"timed out waiting for {description}"
        time.sleep(0.1)


#: torch's threads wait for each other at every step, which is slow while other tests use the cores.
SHARED_CPU_SETTINGS = {"TRAINSHED_THREADS": "1"}


def free_port() -> int:
    """Return a free port of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@dataclass
class EmbeddedBox:
    """A box started by `python -m box up`, in a separate home directory."""

    home: Path
    port: int
    process: subprocess.Popen[str] | None = None
    #: Further settings.
    settings: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def environment(self) -> dict[str, str]:
        """This process's environment, with the home, the port and the settings of the box."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith("TRAINSHED_")}
        own = {"TRAINSHED_HOME": str(self.home), "TRAINSHED_PORT": str(self.port)}
        return clean | own | SHARED_CPU_SETTINGS | self.settings

    def start(self) -> list[str]:
        """Start the box, wait until it is ready and return the lines that it printed."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "box", "up"],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if line.startswith("ready"):
                return lines
        raise RuntimeError(f"the box ended with {self.process.wait()}: {''.join(lines)}")

    def stop(self) -> int:
        """Stop the box as Ctrl-C does and return its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.communicate(timeout=TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            self.process.communicate()
            raise
        return self.process.returncode

    def kill(self) -> None:
        """Kill every process of the box, so that none slows down later tests."""
        while processes := processes_of(self.home):
            for pid in processes:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.1)

    def client(self) -> Client:
        """Return a client with the key of the box."""
        return Client(f"http://127.0.0.1:{self.port}", (self.home / "key").read_text().strip())


@contextmanager
def started_box(home: Path) -> Iterator[EmbeddedBox]:
    """Start a box in a directory; stop it at the end of the `with` block."""
    started = EmbeddedBox(home, free_port())
    try:
        started.start()
        yield started
    finally:
        if started.process is not None and started.process.poll() is None:
            started.stop()
        started.kill()


@pytest.fixture(scope="package")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBox]:
    """One box for the tests of this folder that neither stop it nor change its settings."""
    with started_box(tmp_path_factory.mktemp("box")) as started:
        yield started
