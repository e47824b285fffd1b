"""A backup of 10,000 jobs and 1,000,000 metric rows, and submissions while one is made."""

import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx

from benchmarks.measurement import Measurement, against_limit, in_turn
from benchmarks.routes import SPEC, ServiceUnderLoad, ours
from benchmarks.scale import fill

LIMIT_SECONDS = 60.0
ROUNDS = 3
#: Submissions of a round, one after the other, at a rate that a team does not reach.
POSTS, PAUSE_SECONDS = 200, 0.02


def measure() -> Iterator[Measurement]:
    """Yield the measurements."""
    with (
        tempfile.TemporaryDirectory(prefix="trainshed-bench-") as name,
        ours(Path(name), partial(fill, jobs=10_000)) as service,
    ):
        target = Path(name) / "backup.tar"
        seconds = [_back_up(service, target) for _ in range(ROUNDS)]
        yield against_limit(
            "backup of 10,000 jobs and 1,000,000 metric rows over HTTP",
            seconds,
            LIMIT_SECONDS,
            ratio_of="seconds / 60 s",
            unit="s",
        )
        yield in_turn(
            f"POST /v1/jobs during backups, p99 of {POSTS}",
            "ms / without a backup",
            partial(_during_backups, service, target),
            partial(_p99_ms, service),
            target="≤ 2",
            unit="ms",
            rounds=ROUNDS,
        )


def _back_up(service: ServiceUnderLoad, target: Path) -> float:
    """Download a backup; return the seconds."""
    url = service.collection_url.replace("/v1/jobs", "/v1/backup")
    began = time.perf_counter()
    with (
        httpx.stream("GET", url, headers=service.headers, timeout=600) as response,
        target.open("wb") as file,
    ):
        response.raise_for_status()
        for chunk in response.iter_bytes():
            file.write(chunk)
    return time.perf_counter() - began


def _p99_ms(service: ServiceUnderLoad) -> float:
    durations: list[float] = []
    with httpx.Client(headers=service.headers, timeout=60) as http:
        for _ in range(POSTS):
            began = time.perf_counter()
            http.post(service.collection_url, json=SPEC).raise_for_status()
            durations.append(1000 * (time.perf_counter() - began))
            time.sleep(PAUSE_SECONDS)
    return statistics.quantiles(durations, n=100)[98]


def _during_backups(service: ServiceUnderLoad, target: Path) -> float:
    with _backups(service, target):
        return _p99_ms(service)


@contextmanager
def _backups(service: ServiceUnderLoad, target: Path) -> Iterator[None]:
    """Make one backup after the other."""
    is_over = threading.Event()

    def back_up() -> None:
        while not is_over.is_set():
            _back_up(service, target)

    thread = threading.Thread(target=back_up)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
