"""The measurements: first paint, bytes, from an event to the page, and memory with 100 streams."""

import asyncio
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import httpx
import sqlalchemy as sa

from benchmarks.boxes import Box
from benchmarks.measurement import Measurement, against_limit
from benchmarks.pages.browser import Browser, empty_page, opened, percentile_95
from benchmarks.pages.large import (
    CLASSES_NAME,
    fill_many_classes,
    measure_many_classes,
    measure_series,
)
from benchmarks.routes import ours
from benchmarks.scale import SPEC, fill
from shared import tables
from shared.database import Database
from shared.jobs.extremes import keep_extremes
from shared.jobs.submission import Submission, submit

JOBS, ROUNDS = 10_000, 7
LONG_EPOCHS, LONG_NAME = 100_000, "a long job"
#: More than the empty page, in milliseconds; of a page with a series of 100,000 epochs in all.
PAINT_LIMIT_MS, LONG_PAINT_LIMIT_MS = 300, 500
COLD_LIMIT_KB, MEMORY_LIMIT_MIB = 250, 300
EVENTS, EVENT_LIMIT_SECONDS, LOADED_EVENT_LIMIT_SECONDS = 20, 1.0, 2.0
STREAMS = 100
#: What every stored specification has, so that all pages can read it.
FILLED = {
    **SPEC,
    "loss": {"name": "cross_entropy"},
    "checkpoints": [{"monitor": "val_loss", "mode": "min"}],
}


def measure() -> Iterator[Measurement]:
    """Yield every measurement; one service answers all of them."""
    with tempfile.TemporaryDirectory(prefix="trainshed-bench-") as name:
        directory = Path(name)
        fill_all = partial(_fill, jobs=JOBS, home=directory / "home")
        with ours(directory, fill_all) as service:
            base = service.collection_url.removesuffix("/v1/jobs")
            key = service.headers["Authorization"].removeprefix("Bearer ")
            with (
                httpx.Client(base_url=base, headers=service.headers, timeout=60) as http,
                opened(base, key) as browser,
                empty_page() as empty,
            ):
                yield from _loads(browser, empty, _pages(http))
                box = Box(directory / "home", http, 0.0)
                yield _event(box, browser, "one page", EVENT_LIMIT_SECONDS)
                with _streams(http, base, service.headers):
                    yield _event(box, browser, f"{STREAMS} streams", LOADED_EVENT_LIMIT_SECONDS)
                    memory = [box.resident_mib("api") for _ in range(3)]
                yield against_limit(
                    f"memory of the API with {STREAMS} streams",
                    memory,
                    MEMORY_LIMIT_MIB,
                    ratio_of=f"MiB / {MEMORY_LIMIT_MIB} MiB",
                    unit="MiB",
                )
                # Last, since the memory of their responses would count for the streams.
                long, many = (_job_named(http, name) for name in (LONG_NAME, CLASSES_NAME))
                yield from measure_series(http, long, rounds=ROUNDS)
                yield from measure_many_classes(browser, empty, many, rounds=ROUNDS)


def _fill(database: Database, *, jobs: int, home: Path) -> None:
    """Write the jobs of the benchmark `scale`, and jobs with very many epochs and classes."""
    fill(database, jobs=jobs, spec=FILLED)
    fill_many_classes(database, FILLED, home)
    at = datetime.now(UTC)
    with database.write() as connection:
        job, _ = submit(connection, Submission(owner="admin", spec={**FILLED, "name": LONG_NAME}))
        connection.execute(
            sa.update(tables.jobs)
            .where(tables.jobs.c.id == job)
            .values(state="succeeded", finished_at=at)
        )
        point = {"job_id": job, "stage": "training", "at": at}
        for start in range(0, LONG_EPOCHS, 10_000):
            rows = [
                {**point, "name": name, "split": split, "step": epoch, "epoch": epoch, "value": v}
                for epoch in range(start + 1, start + 10_001)
                for name, split, v in (
                    ("val_loss", "validation", 1 / epoch + 0.2 * (epoch % 977 == 0)),
                    ("train_loss", "train", 0.9 / epoch),
                )
            ]
            connection.execute(sa.insert(tables.metrics), rows)
        keep_extremes(connection, job)


def _job_named(http: httpx.Client, name: str) -> str:
    """Return the id of a job of the benchmark."""
    return http.get("/v1/jobs", params={"named": name}).json()["data"][0]["id"]


def _pages(http: httpx.Client) -> dict[str, str]:
    """Return the addresses of the pages by name."""
    ended = http.get("/v1/jobs", params={"state": "succeeded", "limit": 12}).json()["data"]
    long = _job_named(http, LONG_NAME)
    jobs = [job["id"] for job in ended if job["name"] not in {LONG_NAME, CLASSES_NAME}][:10]
    return {
        "home": "/",
        "job": f"/jobs/{jobs[0]}",
        "comparison of 10 jobs": f"/compare?jobs={','.join(jobs)}",
        "leaderboard": "/leaderboard?dataset=fashion-mnist&metric=val_loss",
        "data sets": "/datasets",
        "new job": "/jobs/new",
        "catalogue": "/catalog",
        "login": "/login?again=true",
        f"job of {LONG_EPOCHS:,} epochs": f"/jobs/{long}",
    }


def _loads(browser: Browser, empty: str, pages: dict[str, str]) -> Iterator[Measurement]:
    for name, address in pages.items():
        has_session = name != "login"
        browser.load(address, has_session=has_session)  # the service compiles its template
        pairs = [
            (browser.load(address, has_session=has_session), browser.load(empty))
            for _ in range(ROUNDS)
        ]
        is_long = name.startswith("job of")
        limit = LONG_PAINT_LIMIT_MS if is_long else PAINT_LIMIT_MS
        yield against_limit(
            f"first paint of {name}, without a cache, {JOBS:,} jobs",
            [page.paint_ms - without.paint_ms for page, without in pairs],
            limit,
            ratio_of=f"ms more than an empty page / {limit} ms",
            unit="ms",
        )
        yield against_limit(
            f"transferred for {name}, without a cache",
            [page.kilobytes for page, _ in pairs],
            COLD_LIMIT_KB,
            ratio_of=f"kB / {COLD_LIMIT_KB} kB",
            unit="kB",
        )


def _event(box: Box, browser: Browser, with_what: str, limit: float) -> Measurement:
    """Return how long a page of a job takes to show that the job was paused or resumed."""
    job = box.submit({"dataset": "digits", "architecture": "mlp"})["id"]
    seconds: list[float] = []
    with browser.page() as page:
        page.goto(f"{browser.base}/jobs/{job}")
        page.wait_for_selector("text=● live")
        for turn in range(EVENTS):
            verb, state = (("pause", "paused"), ("resume", "queued"))[turn % 2]
            time.sleep(1.0 + turn % 5 * 0.3)  # at different places of the rounds of the watcher
            began = time.time()
            box.http.post(f"/v1/jobs/{job}/{verb}").raise_for_status()
            page.wait_for_selector(f".job-head.{state}", state="attached")
            seconds.append(time.time() - began)
    slowest = percentile_95(seconds)
    return against_limit(
        f"from a change of a job to its page, with {with_what}, 95th percentile of {EVENTS}",
        [slowest],
        limit,
        ratio_of=f"seconds / {limit} s",
        unit="s",
    )


@contextmanager
def _streams(http: httpx.Client, base: str, headers: dict[str, str]) -> Iterator[None]:
    """Follow the events of waiting jobs in other connections."""
    waiting = http.get("/v1/jobs", params={"state": "queued", "limit": 100}).json()["data"]
    jobs = [job["id"] for job in waiting][:STREAMS]
    loop, open_count = asyncio.new_event_loop(), 0

    async def follow(client: httpx.AsyncClient, job: str) -> None:
        nonlocal open_count
        accept = {**headers, "Accept": "text/event-stream"}
        async with client.stream("GET", f"{base}/v1/jobs/{job}/events", headers=accept) as answer:
            answer.raise_for_status()
            open_count += 1
            async for _ in answer.aiter_raw():
                pass

    async def follow_all() -> None:
        limits = httpx.Limits(max_connections=STREAMS)
        async with httpx.AsyncClient(timeout=600, limits=limits) as client:
            await asyncio.gather(*(follow(client, job) for job in jobs))

    task = loop.create_task(follow_all())

    def run() -> None:
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(task)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while open_count < len(jobs):
        if time.monotonic() > deadline or task.done():
            raise RuntimeError(f"only {open_count} of {len(jobs)} streams are open")
        time.sleep(0.1)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(30)
