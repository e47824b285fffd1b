"""The results of a network with 1,000 classes, and the curves of 100,000 epochs."""

import gzip
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa

from benchmarks.measurement import Measurement, against_limit
from benchmarks.pages.browser import Browser
from shared import predictions, tables
from shared.database import Database
from shared.ids import new_id
from shared.jobs.submission import Submission, submit
from shared.predictions import Prediction
from shared.settings import Settings
from shared.storage import Storage

CLASSES, CLASSES_NAME = 1_000, "a job of many classes"
#: The pair of classes that is confused most often, and how often.
TRUE, PREDICTED, COUNT = 123, 456, 33
#: A data set that every box has; its pictures stand for the pictures of the classes.
OF_DIGITS = {"name": "digits", "train": 1197, "validation": 300, "test": 300}
CELL_LIMIT, INTERACTIVE_LIMIT_MS, PICTURES_LIMIT_MS, TASK_LIMIT_MS = 2_500, 800, 500, 200
SERIES_LIMIT_MS, SERIES_LIMIT_KB = 150, 15
#: As many points as a chart has.
POINTS = 400
INTERACTIVE = "performance.getEntriesByType('navigation')[0].domInteractive"
LONG_TASKS = """() => new Promise((done) => {
  const tasks = [], observer = new PerformanceObserver((list) => tasks.push(...list.getEntries()));
  observer.observe({ type: "longtask", buffered: true });
  setTimeout(() => done(Math.max(0, ...tasks.map((each) => each.duration))), 300);
})"""
IS_DRAWN = "() => { const image = document.querySelector('#cell img'); return Boolean(image && image.naturalWidth); }"


def fill_many_classes(database: Database, spec: dict[str, Any], home: Path) -> None:
    """Write a job with the test results of 1,000 classes, each confused with nine others.

    Args:
        database: to write to.
        spec: filled.
        home: of the service, for the file of the predictions.
    """
    at, names = datetime.now(UTC), [f"class {number}" for number in range(CLASSES)]
    matrix = [[0] * CLASSES for _ in names]
    for label, row in enumerate(matrix):
        row[label] = 40
        for further in range(1, 10):
            row[(label + 7 * further) % CLASSES] += 1
    matrix[TRUE][PREDICTED] = COUNT
    counts = [
        {"label": label, "name": name, "count": sum(matrix[label]), "accuracy": 40 / 49}
        for label, name in enumerate(names)
    ]
    data = {"loss": 0.5, "data_loss": 0.4, "accuracy": 0.8, "top_k": {"1": 0.8, "5": 0.9}}
    data |= {"per_class": counts, "mistakes": [], "classes": names, "confusion": matrix}
    with database.write() as connection:
        named = {**spec, "name": CLASSES_NAME, "dataset": OF_DIGITS}
        job, _ = submit(connection, Submission(owner="admin", spec=named))
        storage, checkpoint = Storage(Settings(home=home).storage), new_id("ckpt")
        path = storage.results(job) / "last.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        found = [Prediction(n, TRUE, (PREDICTED, TRUE), (0.75, 0.25)) for n in range(COUNT)]
        predictions.write(path, found)
        row = {"id": checkpoint, "job_id": job, "attempt": 1, "kind": "last", "stage": "training"}
        row |= {"epoch": 1, "step": 10, "directory": "none", "bytes": 1, "sha256": "0" * 64}
        connection.execute(sa.insert(tables.checkpoints).values(**row, created_at=at))
        connection.execute(
            sa.insert(tables.evaluations).values(
                checkpoint_id=checkpoint,
                job_id=job,
                split="test",
                data=data,
                predictions=storage.relative(path),
            )
        )
        connection.execute(
            sa.update(tables.jobs)
            .where(tables.jobs.c.id == job)
            .values(state="succeeded", finished_at=at)
        )


def measure_many_classes(
    browser: Browser, empty: str, job: str, *, rounds: int
) -> Iterator[Measurement]:
    """Yield how large and how fast the page of 1,000 classes is, and the pictures of a cell."""
    address = f"{browser.base}/jobs/{job}/results"
    cells, interactive, tasks, pictures = [], [], [], []
    for number in range(rounds + 1):
        with browser.page() as page:
            page.goto(empty)
            without = page.evaluate(INTERACTIVE)
            page.goto(address)
            took = page.evaluate(INTERACTIVE) - without
            longest = page.evaluate(LONG_TASKS)
            count = page.locator("td").count()
            began = time.monotonic()
            page.locator(".confusions tbody a").first.click()
            page.locator("#cell img").scroll_into_view_if_needed()
            while not page.evaluate(IS_DRAWN):
                time.sleep(0.01)
            drawn = 1000 * (time.monotonic() - began)
        if number:  # the first is not counted: the service reads the data set
            cells.append(float(count))
            interactive.append(took)
            tasks.append(longest)
            pictures.append(drawn)
    name = f"results of {CLASSES:,} classes"
    for what, values, limit, unit in (
        ("cells of the tables", cells, CELL_LIMIT, "cells"),
        ("interactive, more than an empty page", interactive, INTERACTIVE_LIMIT_MS, "ms"),
        ("longest task of the page", tasks, TASK_LIMIT_MS, "ms"),
        ("from the click on a cell to its pictures", pictures, PICTURES_LIMIT_MS, "ms"),
    ):
        ratio_of = f"{unit} / {limit} {unit}"
        yield against_limit(f"{name}: {what}", values, limit, ratio_of=ratio_of, unit=unit)


def measure_series(http: httpx.Client, job: str, *, rounds: int) -> Iterator[Measurement]:
    """Yield how fast and how large a series of very many epochs is, as a chart reads it."""
    query = {"name": "val_loss", "points": POINTS}
    http.get(f"/v1/jobs/{job}/metrics", params=query).raise_for_status()
    milliseconds, kilobytes = [], []
    for _ in range(rounds):
        began = time.monotonic()
        answer = http.get(f"/v1/jobs/{job}/metrics", params=query).raise_for_status()
        milliseconds.append(1000 * (time.monotonic() - began))
        kilobytes.append(len(gzip.compress(answer.content)) / 1000)
    for what, values, limit, unit in (
        ("response", milliseconds, SERIES_LIMIT_MS, "ms"),
        ("compressed", kilobytes, SERIES_LIMIT_KB, "kB"),
    ):
        yield against_limit(
            f"series of 100,000 epochs, {what}",
            values,
            limit,
            ratio_of=f"{unit} / {limit} {unit}",
            unit=unit,
        )
