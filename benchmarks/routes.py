"""Submitting and reading a job, compared with a minimal service. Needs `wrk`."""

import json
import os
import re
import shutil
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

from benchmarks.boxes import ROOT, free_port
from benchmarks.measurement import Measurement, MissingRequirement, in_turn
from box.key import ensure_key
from shared.database import Database
from shared.settings import Settings

SPEC: dict[str, Any] = {
    "dataset": {
        "name": "fashion-mnist",
        "train": 5000,
        "validation": 5000,
        "image_size": 32,
        "channels": 3,
    },
    "architecture": {"name": "vgg_small", "activation": "elu"},
    "regularizers": {"l2": {"weight": 0.01}, "label_smoothing": {"alpha": 0.1}},
    "optimizer": {"name": "sgd", "learning_rate": 0.01, "momentum": 0.9, "nesterov": True},
    "training": {"epochs": 10, "batch_size": 32},
}
SECONDS = 4
#: Within which a service must answer, also on a busy machine.
START_SECONDS = 180
CONNECTIONS = 8


@dataclass(frozen=True)
class ServiceUnderLoad:
    """A service to put load on: its addresses and the headers to send."""

    collection_url: str
    job_url: str
    #: A job with metrics that was in the database before the start, if any.
    filled_job_url: str
    headers: dict[str, str]

    def posts(self) -> float:
        """Return the submissions per second."""
        body = json.dumps(SPEC).replace("\\", "\\\\").replace("'", "\\'")
        return self._load(self.collection_url, f"wrk.method = 'POST'\nwrk.body = '{body}'\n")

    def reads(self) -> float:
        """Return the reads of a job per second."""
        return self._load(self.job_url, "")

    def unchanged(self) -> float:
        """Return the answers 304 per second to polls for a job."""
        etag = httpx.get(self.job_url, headers=self.headers).headers["etag"]
        return self._load(self.job_url, "", {"If-None-Match": etag})

    def lists(self) -> float:
        """Return the reads of the list's first page per second."""
        return self._load(f"{self.collection_url}?limit=20", "")

    def metrics(self) -> float:
        """Return the reads of all series of a job per second."""
        return self._load(f"{self.filled_job_url}/metrics", "")

    def _load(self, url: str, script: str, headers: dict[str, str] | None = None) -> float:
        sent = self.headers | (headers or {})
        lines = [f"wrk.headers['{name}'] = '{value}'" for name, value in sent.items()]
        with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
            file.write(script + "\n".join(lines))
            file.flush()
            command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "-s", file.name, url]
            output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        if "Non-2xx" in output:
            raise RuntimeError(f"some responses were errors:\n{output}")
        rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
        if rate is None:
            raise RuntimeError(f"wrk reported no rate:\n{output}")
        return float(rate[1])


@contextmanager
def running(
    command: list[str], environment: dict[str, str], ready_url: str | None
) -> Iterator[None]:
    """Run a process and end it after the body, which begins when `ready_url` answers."""
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + START_SECONDS
        while ready_url is not None and time.monotonic() < deadline:
            try:
                httpx.get(ready_url, timeout=1)
                break
            except httpx.HTTPError:
                time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait()


@contextmanager
def ours(
    directory: Path, fill: Callable[[Database], None] | None = None
) -> Iterator[ServiceUnderLoad]:
    """Run the API with the sidecar, without a worker and a broker.

    Args:
        directory: the directory for its home.
        fill: writes rows to the database before the start.
    """
    port, clean = free_port(), {k: v for k, v in os.environ.items() if "TRAINSHED" not in k}
    home = directory / "home"
    settings = Settings(home=home)
    settings.make_directories()
    ensure_key(settings)
    environment = clean | {"TRAINSHED_HOME": str(home), "TRAINSHED_PORT": str(port)}
    python = [sys.executable, "-m"]
    subprocess.run([*python, "shared.migrations"], cwd=ROOT, env=environment, check=True)
    if fill is not None:
        database = Database(settings.database, pool_size=2)
        fill(database)
        database.close()
    key = settings.key_file.read_text().strip()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    url = f"http://127.0.0.1:{port}"
    with (
        running([*python, "worker.sidecar"], environment, None),
        running([*python, "api"], environment, f"{url}/healthz"),
    ):
        collection = f"{url}/v1/jobs"
        query = {"limit": 1, "state": "succeeded"}
        ended = httpx.get(collection, params=query, headers=headers).json()["data"]
        filled_id = ended[0]["id"] if ended else ""
        job_id = _submit_first(collection, headers)
        for _ in range(19 if fill is None else 0):  # a whole page
            _submit_first(collection, headers)
        yield ServiceUnderLoad(
            collection, f"{collection}/{job_id}", f"{collection}/{filled_id}", headers
        )


@contextmanager
def minimal(directory: Path) -> Iterator[ServiceUnderLoad]:
    """Run the minimal service."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.minimal_api", str(port), str(directory / "m.db")]
    collection = f"http://127.0.0.1:{port}/jobs"
    with running(command, dict(os.environ), collection):
        headers = {"Content-Type": "application/json"}
        job_id = _submit_first(collection, headers)
        yield ServiceUnderLoad(collection, f"{collection}/{job_id}", "", headers)


def _submit_first(collection: str, headers: dict[str, str]) -> str:
    """Submit a job as soon as the service accepts it, and return its id."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        response = httpx.post(collection, json=SPEC, headers=headers, timeout=10)
        if response.status_code == 202:
            return response.json()["id"]
        if time.monotonic() > deadline:
            raise RuntimeError(response.text)
        time.sleep(0.2)


def require_wrk() -> None:
    """Check that `wrk` is installed.

    Raises:
        MissingRequirement: it is not.
    """
    if shutil.which("wrk") is None:
        raise MissingRequirement("it needs `wrk` (apt-get install wrk)")


def measure() -> Iterator[Measurement]:
    """Yield the measurements of both routes."""
    require_wrk()
    with tempfile.TemporaryDirectory(prefix="trainshed-bench-") as name:
        directory = Path(name)
        with ours(directory) as us, minimal(directory) as them:
            yield in_turn(
                "GET /v1/jobs/{id}",
                "requests per second / minimal route",
                us.reads,
                them.reads,
                target="≥ 1.5",
                unit="/s",
            )
            yield in_turn(
                "GET /v1/jobs/{id}, unchanged: 304",
                "requests per second / minimal route",
                us.unchanged,
                them.reads,
                target="≥ 4",
                unit="/s",
            )
            yield in_turn(
                "GET /v1/jobs, a page of 20",
                "requests per second / minimal route of a job",
                us.lists,
                them.reads,
                target="≥ 1",
                unit="/s",
            )
            yield in_turn(
                "POST /v1/jobs, durable and validated",
                "requests per second / minimal route",
                us.posts,
                them.posts,
                target="≥ 0.35",
                unit="/s",
            )
