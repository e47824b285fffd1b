"""The API and the sidecar over an empty database, and what a client measures of them."""

import socket
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from benchmarks.routes import ServiceUnderLoad, ours
from box.processes import processes_of
from shared.database import Database
from shared.settings import Settings


@dataclass(frozen=True)
class Target:
    """A running service without a worker."""

    load: ServiceUnderLoad
    home: Path
    http: httpx.Client

    def database(self) -> Database:
        """Open the database, to write what a worker would write."""
        return Database(Settings(home=self.home).database, pool_size=2)

    def connect(self) -> socket.socket:
        """Open a connection without a request."""
        url = urlsplit(self.load.collection_url)
        return socket.create_connection((url.hostname, url.port), 60)

    def warm_up(self) -> None:
        """Let all threads and database connections of the API exist, as after some use."""
        with ThreadPoolExecutor(64) as clients:
            list(clients.map(lambda _: self.http.get(self.load.collection_url), range(1000)))

    def times_ms(self, url: str, *, requests: int = 300) -> list[float]:
        """Return how long each of several GETs takes, in milliseconds."""
        times: list[float] = []
        for _ in range(requests):
            began = time.perf_counter()
            self.http.get(url).raise_for_status()
            times.append(1000 * (time.perf_counter() - began))
        return times

    def p99_ms(self, url: str) -> float:
        """Return the 99th percentile of the time of a GET, in milliseconds."""
        return percentile_99(self.times_ms(url))

    def memory_mib(self, module: str) -> float:
        """Return the memory of the processes of a module: shared pages count once."""
        commands = processes_of(self.home)
        pids = (pid for pid, command in commands.items() if module in command.split())
        return sum(_proportional_mib(Path(f"/proc/{pid}")) for pid in pids)


def percentile_99(values: list[float]) -> float:
    """Return the value that 99 of 100 do not exceed."""
    return statistics.quantiles(values, n=100)[98]


def _proportional_mib(process: Path) -> float:
    try:
        lines = (process / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


@contextmanager
def target(directory: Path) -> Iterator[Target]:
    """Run a service in a directory."""
    with ours(directory) as load, httpx.Client(headers=load.headers, timeout=60) as http:
        yield Target(load, directory / "home", http)
