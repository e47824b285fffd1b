"""A box on its embedded default, driven over HTTP as any program would drive it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from box.processes import processes_of

ROOT = Path(__file__).parents[2]
TIMEOUT_SECONDS = 240.0
FINAL_STATES = {"succeeded", "failed", "cancelled"}

Json = dict[str, Any]


@dataclass
class Box:
    """A running box: its directory, its address and an HTTP client that sends its key."""

    home: Path
    url: str
    http: httpx.Client

    def submit(self, spec: Json) -> Json:
        """Submit a job and return it."""
        response = self.http.post("/v1/jobs", json=spec)
        assert response.status_code == 202, response.text
        return response.json()

    def job(self, job_id: str) -> Json:
        """Return the job as it is now."""
        return self.http.get(f"/v1/jobs/{job_id}").json()

    def wait(self, job_id: str) -> Json:
        """Return the job once it has ended."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            job = self.http.get(f"/v1/jobs/{job_id}", params={"wait": 30}).json()
            if job["state"] in FINAL_STATES:
                return job
        raise AssertionError(f"{job_id} has not ended within {TIMEOUT_SECONDS} seconds")

    def follow(self, job_id: str) -> Iterator[Json]:
        """Yield the job's events as they happen, until the job has ended."""
        headers = {"Accept": "text/event-stream"}
        with self.http.stream("GET", f"/v1/jobs/{job_id}/events", headers=headers) as stream:
            for line in stream.iter_lines():
                if line.startswith("data: "):
                    yield json.loads(line.removeprefix("data: "))

    def wait_for_epoch(self, job_id: str, epoch: int) -> None:
        """Return once the job has finished this epoch."""
        for event in self.follow(job_id):
            if event.get("type") == "epoch" and event["data"]["epoch"] >= epoch:
                return
        raise AssertionError(f"{job_id} ended before epoch {epoch}")

    def processes(self, command: str) -> list[int]:
        """Return the ids of the box's processes whose command line contains `command`."""
        return [pid for pid, line in processes_of(self.home).items() if command in line]


@pytest.fixture(scope="session")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """One box for all tests of this folder."""
    with start_box(ROOT, tmp_path_factory.mktemp("box")) as started:
        yield started


@contextmanager
def start_box(checkout: Path, home: Path) -> Iterator[Box]:
    """Start `python -m box up` from a checkout; stop it at the end of the `with` block."""
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    settings = {
        "TRAINSHED_HOME": str(home),
        "TRAINSHED_PORT": str(port),
        "TRAINSHED_THREADS": "1",
    }
    clean = {k: v for k, v in os.environ.items() if not k.startswith("TRAINSHED_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "box", "up"],
        cwd=checkout,
        env=clean | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        _wait_until_ready(process)
        headers = {"Authorization": f"Bearer {(home / 'key').read_text().strip()}"}
        with httpx.Client(base_url=url, headers=headers, timeout=TIMEOUT_SECONDS) as http:
            yield Box(home, url, http)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=TIMEOUT_SECONDS)


def _wait_until_ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    output = []
    for line in process.stdout:
        output.append(line)
        if line.startswith("ready"):
            return
    raise AssertionError(f"the box ended with {process.wait()}: {''.join(output)}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]
