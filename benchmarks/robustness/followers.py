"""Many followers of one running job that records 50 events per second."""

import re
import selectors
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from benchmarks.measurement import Measurement, against_limit
from benchmarks.robustness.service import Target, percentile_99
from benchmarks.routes import SPEC
from shared.database import Database
from shared.jobs import claims
from shared.jobs.attempts import Lease
from shared.jobs.events import NewEvent
from shared.jobs.planning.box import Device, Policy
from shared.jobs.recording import Batch, record

FOLLOWERS = 1000
EVENTS_PER_SECOND = 50
SECONDS = 15
MAX_HEALTH_MS, MAX_LAG_SECONDS, MAX_MIB, MAX_KEPT = 250.0, 5.0, 250e6 / 2**20, 1.2


class Followers(threading.Thread):
    """Reads the streams of all followers."""

    def __init__(self, connections: list[socket.socket]) -> None:
        super().__init__(daemon=True)
        self.connections = connections
        #: When each event was recorded, by its number.
        self.recorded_at = dict[int, float]()
        self.worst_lag_seconds = 0.0
        #: The last event of each follower.
        self.last = dict[socket.socket, int]()
        self.is_stopped = False

    def run(self) -> None:
        """Read until stopped."""
        with selectors.DefaultSelector() as selector:
            for connection in self.connections:
                connection.setblocking(False)
                selector.register(connection, selectors.EVENT_READ)
            while not self.is_stopped:
                for key, _ in selector.select(0.1):
                    self._read(key.fileobj)  # pyright: ignore[reportArgumentType]

    def _read(self, connection: socket.socket) -> None:
        data = connection.recv(2**20)
        numbers = [int(number) for number in re.findall(rb"id: (\d+)\r\n", data)]
        if not numbers:
            return
        first = self.recorded_at.get(numbers[0])
        if first is not None:
            self.worst_lag_seconds = max(self.worst_lag_seconds, time.monotonic() - first)
        self.last[connection] = numbers[-1]


@dataclass
class Round:
    """What one round of followers showed."""

    health_ms: list[float]
    lag_seconds: float
    peak_mib: float
    kept: float


def measure(target: Target) -> Iterator[Measurement]:
    """Yield the measurements of two rounds: memory that the second adds is lost for good."""
    target.warm_up()
    rounds = [_follow(target), _follow(target)]
    health = [time_ms for each in rounds for time_ms in each.health_ms]
    of = f"{FOLLOWERS:,} followers, {EVENTS_PER_SECOND} events/s"
    yield against_limit(
        f"GET /healthz next to {of}",
        [percentile_99(health)],
        MAX_HEALTH_MS,
        ratio_of=f"p99 of {len(health):,} in ms / 250",
        unit="ms",
    )
    lags = [each.lag_seconds for each in rounds]
    yield against_limit(
        f"{of}: farthest behind", lags, MAX_LAG_SECONDS, ratio_of="s / 5 s", unit="s"
    )
    peaks = [each.peak_mib for each in rounds]
    yield against_limit(f"{of}: API", peaks, MAX_MIB, ratio_of="MiB / 250 MB", unit="MiB")
    for name, each in zip(("the first time", "again"), rounds, strict=True):
        yield against_limit(
            f"{of}: API after they left {name}",
            [each.kept],
            MAX_KEPT,
            ratio_of="(MiB / MiB before) / 1.2",
            unit="times",
        )


def _follow(target: Target) -> Round:
    """Follow a new job for some seconds."""
    target.http.post(target.load.collection_url, json=SPEC).raise_for_status()
    before = target.memory_mib("api")
    database = target.database()
    lease = _start_job(database)
    with ExitStack() as stack:
        connections = [stack.enter_context(target.connect()) for _ in range(FOLLOWERS)]
        followers = Followers(connections)
        for connection in connections:
            connection.sendall(_request(target, lease.job_id))
        followers.start()
        recorder = threading.Thread(target=_record, args=(database, lease, followers))
        recorder.start()
        health, peak = list[float](), 0.0
        while recorder.is_alive():
            health += target.times_ms(f"{_root(target)}/healthz", requests=100)
            peak = max(peak, target.memory_mib("api"))
        time.sleep(2)
        followers.is_stopped = True
        followers.join()
    newest = max(followers.recorded_at)
    behind = sum(followers.last.get(each, 0) < newest for each in connections)
    if behind:
        raise RuntimeError(f"{behind} followers miss the last events")
    time.sleep(5)
    kept = target.memory_mib("api") / before
    database.close()
    return Round(health, followers.worst_lag_seconds, peak, kept)


def _root(target: Target) -> str:
    return target.load.collection_url.removesuffix("/v1/jobs")


def _request(target: Target, job_id: str) -> bytes:
    head = f"GET /v1/jobs/{job_id}/events HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    head += f"Authorization: {target.load.headers['Authorization']}\r\n"
    return f"{head}Accept: text/event-stream\r\n\r\n".encode()


def _start_job(database: Database) -> Lease:
    """Claim the first job of the queue, as a worker does."""
    devices = [Device("w/cpu:0", "h")]
    claimed = claims.claim_next(database, worker="w", host="h", devices=devices, policy=Policy())
    if claimed is None:
        raise RuntimeError("no job is queued")
    return claimed.lease


def _record(database: Database, lease: Lease, followers: Followers) -> None:
    """Record events as a job with many short epochs does."""
    number = 2  # of the job's states
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        batch = [NewEvent("epoch", {"epoch": number, "val_loss": 1 / number})] * 5
        with database.write() as connection:
            record(connection, lease, Batch(events=batch))
        for _ in batch:
            number += 1
            followers.recorded_at[number] = time.monotonic()
        time.sleep(len(batch) / EVENTS_PER_SECOND)
