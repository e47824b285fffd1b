"""Claims and the queue's first page with 100,000 queued jobs of 8, 200 and 1,000 owners."""

import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from api.services.queue_order import QueueOrder
from benchmarks.measurement import Measurement, MissingRequirement, against_limit
from shared import migrations, tables
from shared.database import Database
from shared.ids import new_id
from shared.jobs import attempts, claims
from shared.jobs.planning.box import Device, Policy
from shared.jobs.submission import Submission, submit
from tests.conftest import postgresql_answers, postgresql_database
from tests.shared.specs import filled_in

JOBS, BATCH = 100_000, 2_000
OWNERS = (8, 200, 1_000)
CLAIMS, READS, PAGES = 200, 20, 200
#: Between two requests for the page, while a thread reads the queue once a second.
REQUEST_SECONDS = 0.1
CLAIM_MS, PAGE_MS = 50.0, 100.0
#: Jobs on a page.
PAGE = 20
DEVICES = [Device("w/cuda:0", "h", 80_000.0, 80_000.0)]


def measure() -> Iterator[Measurement]:
    """Yield the 99th percentiles of both databases."""
    with tempfile.TemporaryDirectory(prefix="trainshed-bench-") as name:
        for owners in OWNERS:
            path = Path(name) / f"{owners}.db"
            yield from _measured("SQLite", f"sqlite:///{path}", owners)
            path.unlink()
    away = postgresql_answers()
    if away is not None:
        raise MissingRequirement(f"PostgreSQL: {away}")
    for owners in OWNERS:
        with postgresql_database(None) as url:
            yield from _measured("PostgreSQL", url, owners)


def _measured(name: str, url: str, owners: int) -> Iterator[Measurement]:
    database = Database(url)
    try:
        migrations.upgrade(database)
        fill(database, owners)
        label = f"{name}, {JOBS:,} queued, {owners:,} owners"
        seconds = [_time_claim(database) for _ in range(CLAIMS)]
        yield _p99(f"claim, {label}", seconds, CLAIM_MS)
        seconds = [_time_first_read(database) for _ in range(READS)]
        yield _p99(f"first read of the queue, {label}", seconds, PAGE_MS)
        yield _p99(f"queue, {label}", _time_pages(database), PAGE_MS)
    finally:
        database.close()


def fill(database: Database, owners: int) -> None:
    """Queue the jobs; the first owners have the most, as in a team."""
    draw, at = random.Random(1), datetime.now(UTC)
    names = [f"user{number:04}" for number in range(owners)]
    weights = [1 / (number + 1) for number in range(owners)]
    common = {"role": "member", "limits": {}, "created_at": at}
    users = [common | {"name": name, "usage": draw.random() * 1e5} for name in names]
    filled = filled_in()
    with database.write() as connection:
        connection.execute(sa.insert(tables.users), users)
        first, _ = submit(connection, Submission(owner=names[0], spec=filled))
        row = dict(connection.execute(sa.select(tables.jobs)).mappings().one())
        assert row["id"] == first
    for _ in range(0, JOBS - 1, BATCH):
        rows = [
            row
            | {
                "id": new_id("job"),
                "owner": draw.choices(names, weights)[0],
                "priority": draw.choice([-10, 0, 0, 0, 10]),
                "seconds_p50": draw.random() * 1e4,
                "seconds_p90": 2e4,
            }
            for _ in range(BATCH)
        ]
        with database.write() as connection:
            connection.execute(sa.insert(tables.jobs), rows)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("ANALYZE"))


def _time_claim(database: Database) -> float:
    """Return the time of a claim; the job ends at once, so that the device is free again."""
    began_at = time.perf_counter()
    claimed = claims.claim_next(database, worker="w", host="h", devices=DEVICES, policy=Policy())
    seconds = time.perf_counter() - began_at
    assert claimed is not None
    with database.write() as connection:
        attempts.succeed(connection, claimed.lease, {})
    return seconds


def _time_first_read(database: Database) -> float:
    """Return the time of a request before which nobody has requested the queue for a while."""
    order = QueueOrder(database)
    try:
        return _seconds(order)
    finally:
        order.close()


def _time_pages(database: Database) -> list[float]:
    """Return the times of further requests, some of them while the queue is read again."""
    order = QueueOrder(database)
    try:
        order.snapshot()
        times = list[float]()
        for _ in range(PAGES):
            time.sleep(REQUEST_SECONDS)
            times.append(_seconds(order))
        return times
    finally:
        order.close()


def _seconds(order: QueueOrder) -> float:
    """Return the time of a request for what the first page shows."""
    began_at = time.perf_counter()
    snapshot = order.snapshot()
    for entry in snapshot.plan.entries[:PAGE]:
        snapshot.forecast.get(entry.job.id)
    return time.perf_counter() - began_at


def _p99(name: str, seconds: list[float], limit_ms: float) -> Measurement:
    p99 = sorted(seconds)[int(0.99 * len(seconds))] * 1e3
    p50 = statistics.median(seconds) * 1e3
    ratio_of = f"p99 of {len(seconds)} / {limit_ms:.0f} ms; p50 {p50:.1f} ms"
    return against_limit(name, [p99], limit_ms, ratio_of=ratio_of, unit="ms")
