"""Reading a job with 10,000 jobs and 1,000,000 metric rows, against 100 jobs."""

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy as sa

from benchmarks.measuring import Figure, in_turn
from shared import migrations, tables
from shared.database import Database
from shared.jobs import reading
from shared.jobs.submission import Submission, submit

ROWS_A_JOB = 100


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


def fill(database: Database, jobs: int) -> list[str]:
    """Write that many finished jobs, each with its metrics; return their ids."""
    made = []
    at = datetime.now(UTC)
    for start in range(0, jobs, 500):
        with database.write() as connection:
            batch = [
                submit(connection, Submission(owner="admin", spec=spec()))[0]
                for _ in range(min(500, jobs - start))
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
                .where(tables.jobs.c.id.in_(batch))
                .values(state="succeeded", finished_at=at)
            )
        made += batch
    return made


@contextmanager
def filled(jobs: int) -> Iterator[tuple[Database, list[str]]]:
    """A database with that many jobs."""
    with TemporaryDirectory(prefix="trainshed-bench-") as directory:
        database = Database(f"sqlite:///{Path(directory) / 'bench.db'}", pool_size=2)
        migrations.upgrade(database)
        made = fill(database, jobs)
        yield database, made
        database.close()


def _seconds(database: Database, jobs: list[str], reads: int = 500) -> float:
    """Median seconds of reading one job, the first page of the list, and one job's metrics."""
    chosen = [jobs[(37 * turn) % len(jobs)] for turn in range(reads)]
    taken = []
    for job in chosen:
        began = time.perf_counter()
        with database.read() as connection:
            reading.get(connection, job)
            reading.metrics(connection, job, name="val_loss")
            reading.page(connection, limit=20)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def figure() -> Figure:
    """The ratio of the two medians."""
    with filled(100) as (small, few), filled(10_000) as (large, many):
        return in_turn(
            "10,000 jobs, 1,000,000 metric rows",
            "read of a job, its metrics and a page / the same with 100 jobs",
            lambda: _seconds(large, many),
            lambda: _seconds(small, few),
            target="≤ 1.3",
            unit="s",
        )
