"""The services of the compose file as processes of this machine, without Docker.

Commands and settings come from `docker-compose.yml`. Host names and volumes, which only a
compose network has, are replaced with addresses and directories of this machine.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
import yaml

from tests.e2e.conftest import SHARED_CPU_SETTINGS, free_port, wait_until

ROOT = Path(__file__).parents[2]
SERVICES = ("sidecar", "api", "worker-cpu", "tracking")
START_SECONDS = 240.0
REDIS_PASSWORD = "RedisPasswordOfThisTest"


def services() -> dict[str, dict[str, Any]]:
    """Return the services of the compose file, with its anchors resolved."""
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


@contextmanager
def redis_server(directory: Path) -> Iterator[str]:
    """Start the Redis server of the compose file with its password; yield its address."""
    if shutil.which("redis-server") is None:
        pytest.skip("needs the program redis-server")
    part, port = services()["redis"], free_port()
    (directory / "redis").mkdir()
    program, flag, script = part["command"]
    place = f"redis-server - --bind 127.0.0.1 --port {port} --dir {directory / 'redis'} "
    script = script.replace("$$", "$").replace("redis-server - ", place)
    (variable,) = part["environment"]
    with (directory / "redis.log").open("wb") as log:
        server = subprocess.Popen(
            [program, flag, script],
            env=os.environ | {variable: REDIS_PASSWORD},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    address = f"redis://:{REDIS_PASSWORD}@127.0.0.1:{port}/0"
    try:
        with redis.Redis.from_url(address) as client:
            wait_until(lambda: _answers(client), "an answer of Redis")
        yield address
    finally:
        server.terminate()
        server.wait()


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


@dataclass
class ComposedBox:
    """The services that a job needs, run on this machine."""

    home: Path
    database_url: str
    broker_url: str
    mlflow_url: str
    api_port: int
    sidecar_port: int
    key: str = "a key for tests only, of enough characters"
    #: Settings that the compose file does not have.
    settings: dict[str, str] = field(default_factory=dict[str, str])
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The address of the API."""
        return f"http://127.0.0.1:{self.api_port}"

    def environment(self, service: str) -> dict[str, str]:
        """Return the service's environment, with the addresses and directories of this machine."""
        overrides = {
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
        names = services()[service]["environment"]
        clean = {k: v for k, v in os.environ.items() if not k.startswith("TRAINSHED_")}
        own = {name: overrides.get(name, "") for name in names}
        return clean | own | SHARED_CPU_SETTINGS | self.settings

    def command(self, service: str) -> list[str]:
        """Return the service's command, with the Python that runs the tests."""
        program, *arguments = services()[service]["command"]
        return [sys.executable if program == "python" else program, *arguments]

    def start(self) -> None:
        """Migrate the database, start every service and wait until the API is ready."""
        self.home.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            self.command("migrate"), cwd=ROOT, env=self.environment("migrate"), check=True
        )
        for service in SERVICES:
            log = (self.home / f"{service}.log").open("wb")
            with log:
                self.processes[service] = subprocess.Popen(
                    self.command(service),
                    cwd=ROOT,
                    env=self.environment(service),
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            for service, process in self.processes.items():
                if process.poll() is not None:
                    text = (self.home / f"{service}.log").read_text()
                    raise RuntimeError(f"{service} ended with {process.returncode}:\n{text}")
            try:
                if httpx.get(f"{self.url}/readyz", timeout=2).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
        raise RuntimeError(f"the services were not ready within {START_SECONDS:.0f} seconds")

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
