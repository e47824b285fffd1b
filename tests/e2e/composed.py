"""The production form without Docker: the compose file's own commands and settings, as processes.

What a compose network gives (names of hosts, volumes) is replaced by what this machine has; the
rest is taken from `docker-compose.yml` as it stands.
"""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.e2e.conftest import BESIDE_OTHERS

ROOT = Path(__file__).parents[2]
PARTS = ("sidecar", "api", "worker-cpu", "tracking")
START_SECONDS = 240.0


def services() -> dict[str, dict[str, Any]]:
    """The services of the compose file, with its anchors resolved."""
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


@dataclass
class Composed:
    """The parts of the compose file, run on this machine."""

    home: Path
    database_url: str
    broker_url: str
    mlflow_url: str
    api_port: int
    sidecar_port: int
    key: str = "a key for tests only, of enough characters"
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where the API answers."""
        return f"http://127.0.0.1:{self.api_port}"

    def environment(self, service: str) -> dict[str, str]:
        """The service's environment with this machine's addresses in the places of compose's."""
        here = {
            "TRAINSHED_HOME": str(self.home),
            "TRAINSHED_DATABASE_URL": self.database_url,
            "TRAINSHED_BROKER_URL": self.broker_url,
            "TRAINSHED_MLFLOW_URL": self.mlflow_url,
            "TRAINSHED_STORAGE_URL": f"file://{self.home}/jobs",
            "TRAINSHED_SIDECAR_URL": f"tcp://127.0.0.1:{self.sidecar_port}",
            "TRAINSHED_HOST": "127.0.0.1",
            "TRAINSHED_PORT": str(self.api_port),
            "TRAINSHED_ADMIN_KEY": self.key,
            "TRAINSHED_ALLOWED_HOSTS": "",
        }
        asked = services()[service]["environment"]
        clean = {k: v for k, v in os.environ.items() if not k.startswith("TRAINSHED_")}
        return clean | {name: here[name] for name in asked} | BESIDE_OTHERS

    def command(self, service: str) -> list[str]:
        """The service's command, with this environment's Python."""
        program, *arguments = services()[service]["command"]
        return [sys.executable if program == "python" else program, *arguments]

    def start(self) -> None:
        """Migrate, then start every part and wait until the API is ready."""
        self.home.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            self.command("migrate"), cwd=ROOT, env=self.environment("migrate"), check=True
        )
        for part in PARTS:
            log = (self.home / f"{part}.log").open("wb")
            with log:
                self.processes[part] = subprocess.Popen(
                    self.command(part),
                    cwd=ROOT,
                    env=self.environment(part),
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            for part, process in self.processes.items():
                if process.poll() is not None:
                    text = (self.home / f"{part}.log").read_text()
                    raise RuntimeError(f"{part} ended with {process.returncode}:\n{text}")
            try:
                if httpx.get(f"{self.url}/readyz", timeout=2).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
        raise RuntimeError(f"the parts were not ready within {START_SECONDS:.0f} seconds")

    def stop(self) -> None:
        """Stop as `docker compose stop` does: SIGTERM, and SIGKILL after the grace period."""
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
