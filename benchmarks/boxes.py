"""A box of our own for a benchmark: started as users start it, in a directory that goes away."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[1]
FINAL = {"succeeded", "failed", "cancelled"}


@dataclass(frozen=True)
class Box:
    """A running box."""

    home: Path
    http: httpx.Client
    #: From exec to `/readyz` answering 200.
    ready_seconds: float
    supervisor: int

    def submit(self, spec: dict[str, Any], *, key: str | None = None) -> dict[str, Any]:
        """Submit a job and return it; with the key of an earlier submission, that one's job."""
        headers = {} if key is None else {"Idempotency-Key": key}
        answer = self.http.post("/v1/jobs", json=spec, headers=headers)
        answer.raise_for_status()
        return answer.json()

    def finish(self, job_id: str, *, any_end: bool = False) -> dict[str, Any]:
        """Wait for the job's end and return it; no success is an error unless any end will do."""
        while True:
            job = self.http.get(f"/v1/jobs/{job_id}", params={"wait": 30}).json()
            if job["state"] in FINAL:
                if job["state"] != "succeeded" and not any_end:
                    raise RuntimeError(f"{job_id} has {job['state']}: {job['failure']}")
                return job

    def events(self, job_id: str) -> list[dict[str, Any]]:
        """The first events of a job."""
        return self.http.get(f"/v1/jobs/{job_id}/events", params={"limit": 100}).json()["data"]

    def series(self, job_id: str, name: str) -> list[float]:
        """The values of a metric."""
        answer = self.http.get(f"/v1/jobs/{job_id}/metrics", params={"name": name}).json()
        return [point["value"] for one in answer["data"] for point in one["points"]]

    def resident_mib(self, part: str) -> float:
        """Resident memory of the process whose command line contains `-m part`."""
        for directory in Path("/proc").glob("[0-9]*"):
            try:
                command = (directory / "cmdline").read_bytes().split(b"\0")
                environment = (directory / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            ours = f"TRAINSHED_HOME={self.home}".encode() in environment
            if ours and b"-m" in command and part.encode() in command:
                status = (directory / "status").read_text()
                line = next(x for x in status.splitlines() if x.startswith("VmRSS"))
                return int(line.split()[1]) / 1024
        raise RuntimeError(f"there is no process {part} of {self.home}")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@contextmanager
def started(*, kept_home: Path | None = None, **settings: str) -> Iterator[Box]:
    """Start a box, yield it when it is ready, and stop it.

    Args:
        kept_home: its directory, where it is to stay for a next time.
        **settings: further environment variables.
    """
    with tempfile.TemporaryDirectory(prefix="trainshed-bench-") as directory:
        home, port = kept_home or Path(directory), free_port()
        home.mkdir(parents=True, exist_ok=True)
        clean = {k: v for k, v in os.environ.items() if not k.startswith("TRAINSHED_")}
        # The data sets and their cache stay from one benchmark to the next.
        kept = ROOT / "home" / "benchmarks"
        for name in ("data", "cache"):
            (kept / name).mkdir(parents=True, exist_ok=True)
            if not (home / name).is_symlink():
                (home / name).symlink_to(kept / name)
        environment = clean | {
            "TRAINSHED_HOME": str(home),
            "TRAINSHED_PORT": str(port),
            **settings,
        }
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "box", "up"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            _until_ready(process, port)
            ready = time.perf_counter() - began
            key = (home / "key").read_text().strip()
            headers = {"Authorization": f"Bearer {key}"}
            url = f"http://127.0.0.1:{port}"
            with httpx.Client(base_url=url, headers=headers, timeout=90) as http:
                yield Box(home, http, ready, process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)


def _until_ready(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the box ended with {process.returncode} before it was ready")
        try:
            if httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=2).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.02)
    raise RuntimeError("the box was not ready within 60 seconds")
