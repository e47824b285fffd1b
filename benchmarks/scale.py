"""Submitting and reading with 10,000 jobs and 1,000,000 metric rows, against 100 jobs. Needs `wrk`.

The worker is stopped, so the queue is as long as it is made: a tenth of the jobs wait.
"""

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from benchmarks.measuring import Figure, in_turn
from benchmarks.routes import need_wrk, ours
from shared import tables
from shared.database import Database
from shared.jobs.submission import Submission, submit

ROWS_A_JOB = 100
BATCH = 500
LIMIT = "≤ 1.3"


def spec() -> dict:
    """A filled-in specification, as far as the tables read it."""
    return {
        "name": "a job",
        "priority": "normal",
        "tags": {"group": "vision"},
        "dataset": {"name": "fashion-mnist", "train": 5000, "image_size": 32},
        "architecture": {"name": "vgg_small", "activation": "elu"},
        "resources": {"gpus": 1},
    }


def fill(database: Database, *, jobs: int) -> None:
    """Write that many jobs, each with its metrics; a tenth of them waits, the others are over."""
    at = datetime.now(UTC)
    for start in range(0, jobs, BATCH):
        with database.write() as connection:
            batch = [
                submit(connection, Submission(owner="admin", spec=spec()))[0]
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
                for step in range(ROWS_A_JOB)
            ]
            connection.execute(sa.insert(tables.metrics), rows)
            connection.execute(
                sa.update(tables.jobs)
                .where(tables.jobs.c.id.in_(batch[len(batch) // 10 :]))
                .values(state="succeeded", finished_at=at)
            )


def figures() -> Iterator[Figure]:
    """How much slower each route is with all that in the database."""
    need_wrk()
    with tempfile.TemporaryDirectory(prefix="trainshed-bench-") as name:
        large, small = (Path(name) / size for size in ("large", "small"))
        with (
            ours(large, partial(fill, jobs=10_000)) as many,
            ours(small, partial(fill, jobs=100)) as few,
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
                    # Requests a second of the small one over those of the large one: a time's ratio.
                    getattr(few, load),
                    getattr(many, load),
                    target=LIMIT,
                    unit="/s (100 jobs / 10,000)",
                )
