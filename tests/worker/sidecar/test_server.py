"""The sidecar as a process: what it answers, and how it ends."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import orjson
import pytest

from shared import sidecar
from shared.errors import Unavailable
from tests.worker.filled import parameters
from tests.worker.sidecar.running import RunningSidecar, start
from worker.sidecar.warm_up import warm_up

LINEAR: dict[str, Any] = {
    "operation": "describe",
    "architecture": {"name": "linear", **parameters("architectures", "linear")},
    "image": [1, 8, 8],
    "classes": 10,
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSidecar]:
    with start(tmp_path_factory.mktemp("home")) as started:
        yield started


def test_network_is_described(running: RunningSidecar) -> None:
    assert running.ask(**LINEAR)["parameter_count"]["trainable"] == 650


@pytest.mark.parametrize(
    "line", [b"{}\n", b"[]\n", b"1\n", b"{\n", b'{"operation": "no"}\n', b'{"operation": []}\n']
)
def test_malformed_request_is_refused(running: RunningSidecar, line: bytes) -> None:
    assert "The request is malformed" in running.send(line)["faults"][0]["detail"]


def test_request_without_its_fields_is_refused(running: RunningSidecar) -> None:
    assert "malformed" in running.ask(operation="describe")["faults"][0]["detail"]


def test_request_that_is_too_long_is_dropped(running: RunningSidecar) -> None:
    with pytest.raises((OSError, orjson.JSONDecodeError)):
        running.send(b" " * (sidecar.MAX_REQUEST_BYTES + 2**20) + b"\n")
    assert running.ask(operation="ping")["ok"]


def test_many_requests_at_once_are_answered(running: RunningSidecar) -> None:
    with ThreadPoolExecutor(16) as clients:
        asked = [clients.submit(running.ask, **LINEAR | {"classes": 20 + n}) for n in range(64)]
        assert all(response.result()["ok"] for response in asked)


def test_socket_is_closed_to_others(running: RunningSidecar) -> None:
    assert running.socket.stat().st_mode & 0o777 == 0o600


def test_sigterm_ends_all_its_processes(tmp_path: Path) -> None:
    with start(tmp_path) as started:
        assert started.ask(**LINEAR)["ok"]
        assert len(started.processes()) >= 3
        started.process.terminate()
        assert started.process.wait(30) == 0
        assert started.processes() == []


def test_kill_of_the_sidecar_ends_its_other_processes(tmp_path: Path) -> None:
    with start(tmp_path) as started:
        assert started.ask(**LINEAR)["ok"]
        started.process.kill()
        started.process.wait(30)
        started.wait_until_gone()


def test_sidecar_whose_fork_servers_are_gone_ends_to_be_started_again(tmp_path: Path) -> None:
    with start(tmp_path) as started:
        for pid in started.processes():
            if pid != started.process.pid:
                os.kill(pid, signal.SIGKILL)
        with pytest.raises(Unavailable):
            started.ask(**LINEAR)
        assert started.process.wait(30) == 0


def test_tcp_address_is_served(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with start(tmp_path, address=f"tcp://127.0.0.1:{port}") as started:
        assert started.ask(operation="ping")["ok"]


def test_gpus_are_never_used() -> None:
    code = "import worker.sidecar.__main__, torch; print(torch.cuda.device_count())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"


def test_warm_up_describes_every_small_architecture() -> None:
    warm_up()
