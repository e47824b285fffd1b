"""Routes with 10,000 jobs and 1,000,000 metric rows, compared with 100 jobs. Needs `wrk`.

No worker runs, so the queue keeps its length: a tenth of the jobs are queued.
"""

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from benchmarks.measurement import Measurement, in_turn
from benchmarks.routes import ours, require_wrk
from shared import tables
from shared.database import Database
from shared.jobs.extremes import keep_extremes
from shared.jobs.submission import Submission, submit

ROWS_PER_JOB = 100
BATCH = 500
TARGET = "≤ 1.3"


#: The fields of a filled specification that the tables use.
SPEC: dict = {
    "name": "a job",
    "priority": "normal",
    "tags": {"group": "vision"},
    "dataset": {"name": "fashion-mnist", "train": 5000, "image_size": 32},
    "architecture": {"name": "vgg_small", "activation": "elu"},
    "resources": {"gpus": 1},
}


def fill(database: Database, *, jobs: int, spec: dict | None = None) -> None:
    """Write jobs with their metrics; a tenth of them are queued, the others have succeeded.

    `spec` is the specification of all of them, by default `SPEC`.
    """
    at, spec = datetime.now(UTC), spec or SPEC
    for start in range(0, jobs, BATCH):
        with database.write() as connection:
            batch = [
                submit(connection, Submission(owner="admin", spec=spec))[0]
                for _ in range(min(BATCH, jobs - start))
            ]
            rows = [
                {
                    "job_id": job,
                    "name": "val_loss",
                    "split": "validation",
                    "stage": "training",
                    "step": step,
                    "epoch": step,
                    "value": 0.5,
                    "at": at,
                }
                for job in batch
                for step in range(ROWS_PER_JOB)
            ]
            connection.execute(sa.insert(tables.metrics), rows)
            ended = batch[len(batch) // 10 :]
            connection.execute(
                sa.update(tables.jobs)
                .where(tables.jobs.c.id.in_(ended))
                .values(state="succeeded", finished_at=at)
            )
            for job in ended:
                keep_extremes(connection, job)


def measure() -> Iterator[Measurement]:
    """Yield how much slower each route is with the large database."""
    require_wrk()
    with tempfile.TemporaryDirectory(prefix="trainshed-bench-") as name:
        large, small = (Path(name) / size for size in ("large", "small"))
        with (
            ours(large, partial(fill, jobs=10_000)) as large_service,
            ours(small, partial(fill, jobs=100)) as small_service,
        ):
            for route, load in (
                ("GET /v1/jobs/{id}", "reads"),
                ("GET /v1/jobs", "lists"),
                ("GET /v1/jobs/{id}/metrics", "metrics"),
                ("POST /v1/jobs", "posts"),
            ):
                yield in_turn(
                    f"{route}, 10,000 jobs, 1,000,000 metric rows",
                    "time of a request / the same with 100 jobs",
                    # Rates of the small database over rates of the large: the ratio of the times.
                    getattr(small_service, load),
                    getattr(large_service, load),
                    target=TARGET,
                    unit="/s (100 jobs / 10,000)",
                )
