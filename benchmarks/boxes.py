"""A box for benchmarks: started as users start it, in a temporary directory, and always stopped."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from box.processes import processes_of

ROOT = Path(__file__).parents[1]
FINAL_STATES = {"succeeded", "failed", "cancelled"}
START_TIMEOUT_SECONDS = 60.0
#: Longer than the box takes to let every job write a checkpoint.
STOP_TIMEOUT_SECONDS = 90.0


@dataclass(frozen=True)
class Box:
    """A running box."""

    home: Path
    http: httpx.Client
    #: From exec to the first 200 from `/readyz`.
    ready_seconds: float

    def submit(self, spec: dict[str, Any], *, key: str | None = None) -> dict[str, Any]:
        """Submit a job and return it; a repeated idempotency key returns the earlier job."""
        headers = {} if key is None else {"Idempotency-Key": key}
        response = self.http.post("/v1/jobs", json=spec, headers=headers)
        response.raise_for_status()
        return response.json()

    def job(self, job_id: str) -> dict[str, Any]:
        """Return a job."""
        return self.http.get(f"/v1/jobs/{job_id}").json()

    def finish(self, job_id: str, *, any_state: bool = False) -> dict[str, Any]:
        """Wait until the job has ended and return it.

        Args:
            job_id: the job.
            any_state: accept every final state.

        Raises:
            RuntimeError: the job did not succeed and `any_state` is not set.
        """
        while True:
            job = self.http.get(f"/v1/jobs/{job_id}", params={"wait": 30}).json()
            if job["state"] in FINAL_STATES:
                if job["state"] != "succeeded" and not any_state:
                    raise RuntimeError(f"{job_id} has {job['state']}: {job['failure']}")
                return job

    def wait_for_dataset(self, address: str) -> dict[str, Any]:
        """Wait until an upload is checked and return it.

        Raises:
            RuntimeError: it was rejected.
        """
        while (dataset := self.http.get(address).json())["state"] == "checking":
            time.sleep(0.5)
        if dataset["state"] != "ready":
            raise RuntimeError(f"{address} was rejected: {dataset['rejected']}")
        return dataset

    def events(self, job_id: str) -> list[dict[str, Any]]:
        """Return the first 100 events of a job."""
        return self.http.get(f"/v1/jobs/{job_id}/events", params={"limit": 100}).json()["data"]

    def resident_mib(self, module: str) -> float:
        """Return the resident memory of the box's process that was started with `-m module`.

        Raises:
            RuntimeError: the box has no such process.
        """
        for pid, command in processes_of(self.home).items():
            if {"-m", module} <= set(command.split()):
                status = Path(f"/proc/{pid}/status").read_text()
                line = next(x for x in status.splitlines() if x.startswith("VmRSS"))
                return int(line.split()[1]) / 1024
        raise RuntimeError(f"the box in {self.home} has no process {module}")


def free_port() -> int:
    """Return a port that is not in use."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def exit_on_signals() -> None:
    """Turn SIGINT, SIGTERM and SIGHUP into `SystemExit`, so that every box is stopped on the way out."""
    for number in _signals():
        signal.signal(number, lambda number, _: sys.exit(128 + number))


@contextmanager
def started(*, kept_home: Path | None = None, **settings: str) -> Iterator[Box]:
    """Start a box, yield it when it is ready, and stop it.

    Args:
        kept_home: the box's directory if it is to be kept; otherwise a temporary directory.
        **settings: further environment variables.
    """
    with tempfile.TemporaryDirectory(prefix="trainshed-bench-") as directory:
        home, port = kept_home or Path(directory), free_port()
        home.mkdir(parents=True, exist_ok=True)
        _share_data(home)
        clean = {k: v for k, v in os.environ.items() if not k.startswith("TRAINSHED_")}
        own = {"TRAINSHED_HOME": str(home), "TRAINSHED_PORT": str(port)}
        began = time.perf_counter()
        process: subprocess.Popen[bytes] | None = None
        pending: list[int] = []
        try:
            # A signal during the start is delayed until the process is known and can be stopped.
            with _signals_call(pending.append):
                process = subprocess.Popen(
                    [sys.executable, "-m", "box", "up"],
                    cwd=ROOT,
                    env=clean | own | settings,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
            if pending:
                sys.exit(128 + pending[0])
            _wait_until_ready(process, port)
            ready_seconds = time.perf_counter() - began
            key = (home / "key").read_text().strip()
            headers = {"Authorization": f"Bearer {key}"}
            url = f"http://127.0.0.1:{port}"
            with httpx.Client(base_url=url, headers=headers, timeout=90) as http:
                yield Box(home, http, ready_seconds)
        finally:
            if process is not None:
                _stop(process)


def _share_data(home: Path) -> None:
    """Link the data sets and their cache, which all benchmarks share, into a home."""
    shared = ROOT / "home" / "benchmarks"
    for name in ("data", "cache"):
        (shared / name).mkdir(parents=True, exist_ok=True)
        if not (home / name).is_symlink():
            (home / name).symlink_to(shared / name)


def _wait_until_ready(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the box ended with {process.returncode} before it was ready")
        try:
            if httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=2).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.02)
    raise RuntimeError(f"the box was not ready within {START_TIMEOUT_SECONDS:.0f} seconds")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Stop a box and wait for its end; a further signal makes it stop at once."""
    with _signals_call(lambda _: process.terminate()):
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            process.terminate()  # a second SIGTERM makes the box kill what still runs
            process.wait()


@contextmanager
def _signals_call(action: Callable[[int], object]) -> Iterator[None]:
    """Call `action` with the number of a signal, instead of the handlers that are set."""
    previous = {n: signal.signal(n, lambda number, _: action(number)) for n in _signals()}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _signals() -> list[signal.Signals]:
    """Return the signals that end a benchmark; nohup makes it ignore the end of the terminal."""
    numbers = [signal.SIGINT, signal.SIGTERM]
    is_nohup = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    return numbers if is_nohup else [*numbers, signal.SIGHUP]
