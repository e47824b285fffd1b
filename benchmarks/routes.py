"""Submitting and reading a job, against the smallest service that does so. Needs `wrk`."""

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
from benchmarks.measuring import Figure, NotHere, in_turn
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
CONNECTIONS = 8


@dataclass(frozen=True)
class Served:
    """A service under load: where it takes jobs, one that it has, and what to send along."""

    collection: str
    one: str
    #: One that was in the database before, where there is any.
    filled: str
    headers: dict[str, str]

    def posts(self) -> float:
        """Submissions a second."""
        body = json.dumps(SPEC).replace("\\", "\\\\").replace("'", "\\'")
        return self._load(self.collection, f"wrk.method = 'POST'\nwrk.body = '{body}'\n")

    def reads(self) -> float:
        """Reads of one job a second."""
        return self._load(self.one, "")

    def lists(self) -> float:
        """First pages of the list a second."""
        return self._load(f"{self.collection}?limit=20", "")

    def metrics(self) -> float:
        """All series of one job a second."""
        return self._load(f"{self.filled}/metrics", "")

    def _load(self, address: str, script: str) -> float:
        lines = [f"wrk.headers['{name}'] = '{value}'" for name, value in self.headers.items()]
        with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
            file.write(script + "\n".join(lines))
            file.flush()
            command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "-s", file.name, address]
            printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        if "Non-2xx" in printed:
            raise RuntimeError(f"not all answers were well:\n{printed}")
        found = re.search(r"Requests/sec:\s+([\d.]+)", printed)
        if found is None:
            raise RuntimeError(f"wrk printed:\n{printed}")
        return float(found[1])


@contextmanager
def process(command: list[str], environment: dict[str, str], ready: str) -> Iterator[None]:
    """A process that answers at `ready` before the body runs, and is gone after it."""
    started = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                httpx.get(ready, timeout=1)
                break
            except httpx.HTTPError:
                time.sleep(0.05)
        yield
    finally:
        started.terminate()
        started.wait()


@contextmanager
def ours(directory: Path, fill: Callable[[Database], None] | None = None) -> Iterator[Served]:
    """The API with the sidecar, and with no worker and no broker.

    Args:
        directory: where its home will be.
        fill: puts into the database what is to be there before.
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
        process([*python, "worker.sidecar"], environment, f"{url}/healthz"),
        process([*python, "api"], environment, f"{url}/healthz"),
    ):
        collection = f"{url}/v1/jobs"
        over = httpx.get(collection, params={"limit": 1, "state": "succeeded"}, headers=headers)
        filled = next((job["id"] for job in over.json()["data"]), "")
        one = f"{collection}/{_first(collection, headers)}"
        yield Served(collection, one, f"{collection}/{filled}", headers)


@contextmanager
def minimal(directory: Path) -> Iterator[Served]:
    """The minimal service."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.minimal_api", str(port), str(directory / "m.db")]
    collection = f"http://127.0.0.1:{port}/jobs"
    with process(command, dict(os.environ), collection):
        headers = {"Content-Type": "application/json"}
        one = f"{collection}/{_first(collection, headers)}"
        yield Served(collection, one, "", headers)


def _first(collection: str, headers: dict[str, str]) -> str:
    """Submit one job, as soon as the service takes it."""
    deadline = time.monotonic() + 30
    while True:
        answer = httpx.post(collection, json=SPEC, headers=headers, timeout=10)
        if answer.status_code == 202:
            return answer.json()["id"]
        if time.monotonic() > deadline:
            raise RuntimeError(answer.text)
        time.sleep(0.2)


def need_wrk() -> None:
    """Refuse early what could not be measured."""
    if shutil.which("wrk") is None:
        raise NotHere("it needs `wrk` (apt-get install wrk)")


def figures() -> Iterator[Figure]:
    """Both routes."""
    need_wrk()
    with tempfile.TemporaryDirectory(prefix="trainshed-bench-") as name:
        directory = Path(name)
        with ours(directory) as us, minimal(directory) as them:
            yield in_turn(
                "GET /v1/jobs/{id}",
                "requests per second / minimal route",
                us.reads,
                them.reads,
                target="≥ 0.6",
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
