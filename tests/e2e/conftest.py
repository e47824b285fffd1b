"""A real box on its embedded default, as `make up` starts it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from trainshed import Client

ROOT = Path(__file__).parents[2]
#: Several times what anything takes on two cores that are shared with others.
PATIENCE_SECONDS = 240.0


def until(is_so: Callable[[], Any], what: str) -> None:
    """Wait for something, and say what was waited for in vain."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, f"in vain waited for {what}"
        time.sleep(0.1)


#: Threads that meet at every step wait for each other where other tests have the cores.
BESIDE_OTHERS = {"TRAINSHED_THREADS": "1"}


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@dataclass
class EmbeddedBox:
    """`python -m box up` in a directory of its own."""

    home: Path
    port: int
    process: subprocess.Popen[str] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Ours without any setting of a box, with this one's home and port."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith("TRAINSHED_")}
        own = {"TRAINSHED_HOME": str(self.home), "TRAINSHED_PORT": str(self.port)}
        return clean | own | BESIDE_OTHERS

    def start(self) -> list[str]:
        """Start and wait until it says that it is ready; return what it said."""
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
        said = []
        for line in self.process.stdout:
            said.append(line)
            if line.startswith("ready"):
                return said
        raise RuntimeError(f"the box ended with {self.process.wait()}: {''.join(said)}")

    def stop(self) -> int:
        """Stop it as Ctrl-C does; return its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.communicate(timeout=PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            self.process.communicate()
            raise
        return self.process.returncode

    def kill(self) -> None:
        """End all of it at once, so that nothing of it holds up the tests that come."""
        while left := processes_of(self.home):
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.1)

    def client(self) -> Client:
        """A client with the box's own key."""
        return Client(f"http://127.0.0.1:{self.port}", (self.home / "key").read_text().strip())


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBox]:
    """One box for the tests of a file."""
    started = EmbeddedBox(tmp_path_factory.mktemp("a box with spaces"), free_port())
    try:
        started.start()
        yield started
    finally:
        if started.process is not None and started.process.poll() is None:
            started.stop()
        started.kill()


def processes_of(home: Path) -> dict[int, str]:
    """Every process that has this home in its environment: id and command line."""
    wanted, found = f"TRAINSHED_HOME={home}".encode(), {}
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (directory / "environ").read_bytes().split(b"\0"):
                command = (directory / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if command:
                    found[int(directory.name)] = command
        except OSError:
            continue
    return found
