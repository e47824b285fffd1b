"""A damaged row stops neither the worker's claims, its reaper and adoption, nor MLflow's copies."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from shared import tables
from shared.database import Database
from shared.jobs import attempts, liveness, queries
from shared.jobs.attempts import Lease
from shared.jobs.recording import Batch, record
from shared.jobs.submission import Submission, submit
from shared.settings import Settings
from shared.storage import Storage
from tests.fakes.dispatcher import FakeDispatcher
from tests.security.damage import Shell
from tests.shared.claiming import claim
from tests.shared.rows import checkpoint, point
from tests.shared.specs import filled_in
from tests.worker.jobs import claimed, claimed_again
from worker.dispatch.adoption import adopt
from worker.dispatch.device import Device
from worker.dispatch.reaper import Reaper
from worker.dispatch.runners import Runner, record_exit
from worker.runner.orphans import delete_orphans
from worker.tracking.sync import Sync

CPU = Device("cpu:0", "A CPU", "")
VALUES = {
    "sqlite": ("'yesterday'", "2147483647", "x'fffe'", "CAST(x'ff' AS TEXT)"),
    "postgresql": ("''", "'-1'", "'2147483647'", "'infinity'"),
}
JSON_VALUES = ("'[3]'", "'{}'", "'\"x\"'")
#: The tables that the worker reads.
READ = ("jobs", "live", "attempts", "events", "checkpoints", "metrics", "workers", "leases")


class FakeMirror:
    """An MLflow that takes everything."""

    def is_available(self) -> bool:
        return True

    def open(self, job: Any) -> str:
        return f"run of {job.id}"

    def __getattr__(self, name: str) -> Any:
        return lambda *_: True


class Box:
    """A database with a running job and a queued job, which are damaged, and a whole queued job."""

    def __init__(self, database: Database, home: Path) -> None:
        self.database = database
        self.settings = Settings(home=home, mlflow_url="http://127.0.0.1:9")
        self.settings.make_directories()
        self.shell = Shell(database)

    def fill(self) -> tuple[Lease, str]:
        """Start again with new jobs; return the lease of the running and the id of the whole."""
        for table in tables.metadata.tables:
            self.shell.run(f"DELETE FROM {table}")  # noqa: S608
        lease = claimed(self.database)
        with self.database.write() as connection:
            liveness.record_heartbeat(connection, lease, pid=None, progress={"epoch": 1})  # pyright: ignore[reportArgumentType]
            rows = [checkpoint("last", 3), checkpoint("best", 3, "val_loss")]
            record(connection, lease, Batch(metrics=[point(3)], checkpoints=rows))
            liveness.record_worker(connection, worker="w", host="h", pid=7, devices=[])
            liveness.take_lead(connection, "reaper", "other", seen=None)
            submit(connection, Submission(owner="admin", spec=filled_in()))
            whole, _ = submit(connection, Submission(owner="admin", spec=filled_in()))
        return lease, whole

    def work(self, lease: Lease, whole: str) -> None:
        """Do what a worker does with every job."""
        reaper = Reaper(self.settings, self.database, FakeDispatcher())  # pyright: ignore[reportArgumentType]
        reaper._is_leader()
        reaper._reap()
        sync = Sync(self.settings, self.database)
        sync.mirror = FakeMirror()  # pyright: ignore[reportAttributeAccessIssue]
        sync.round()
        self.delete_orphans(lease)
        adopt(self.settings, self.database, worker="w", host="h", devices=[CPU])
        record_exit(Runner(lease, CPU, 0, None), 1, self.database)
        started = [self.claim() for _ in range(3)]
        assert whole in started

    def delete_orphans(self, lease: Lease) -> None:
        with self.database.read() as connection:
            used = queries.list_directories(connection, lease.job_id)
        delete_orphans(Storage(self.settings.storage), lease.job_id, [lease.attempt], used=used)

    def claim(self) -> str | None:
        with self.database.write() as connection:
            job = claim(connection)
        return None if job is None else job.lease.job_id


@pytest.fixture
def box(database: Database, tmp_path: Path) -> Iterator[Box]:
    opened = Box(database, tmp_path)
    yield opened
    opened.shell.close()


@pytest.mark.parametrize("name", READ)
def test_damaged_row_stops_nothing_of_the_worker(box: Box, name: str) -> None:
    table = tables.metadata.tables[name]
    values = VALUES["sqlite" if box.database.is_sqlite else "postgresql"]
    taken = 0
    for column in table.c:
        if column.name in {"id", "job_id"}:
            continue
        for value in JSON_VALUES if isinstance(column.type, sa.JSON) else values:
            lease, whole = box.fill()
            key = "id" if name == "jobs" else "job_id"
            where = f" WHERE {key} != '{whole}'" if name not in {"workers", "leases"} else ""
            if box.shell.accepts(f'UPDATE {name} SET "{column.name}" = {value}{where}'):  # noqa: S608
                taken += 1
                box.work(lease, whole)
    assert taken


def test_files_of_a_checkpoint_whose_row_is_damaged_are_kept(box: Box) -> None:
    lease, _ = box.fill()
    storage = Storage(box.settings.storage)
    kept = storage.attempt(lease.job_id, 1) / "kept"
    kept.mkdir(parents=True)
    box.shell.run(
        f"UPDATE checkpoints SET directory = '{storage.relative(kept)}', bytes = -1"  # noqa: S608
        " WHERE kind = 'last'"
    )
    with box.database.write() as connection:
        attempts.stop(connection, lease, "worker_lost")
    again = claimed_again(box.database)
    assert again.job_id == lease.job_id

    box.delete_orphans(lease)
    assert kept.is_dir()


def test_attempt_number_that_was_lowered_does_not_stop_the_queue(box: Box) -> None:
    lease, _ = box.fill()
    with box.database.write() as connection:
        attempts.stop(connection, lease, "worker_lost")
    box.shell.set(lease.job_id, "attempt", "0")
    box.shell.set(lease.job_id, "last_event", "0")

    assert claimed_again(box.database) == Lease(lease.job_id, 2)
