"""Runs of jobs that have just started: created at once, and before anything else is sent."""

import threading
from pathlib import Path

import pytest

from shared.database import Database
from shared.jobs import mlflow_sync
from shared.jobs.attempts import Lease
from shared.jobs.rows import JobRow
from shared.settings import Settings
from tests.worker.jobs import claimed, job
from worker.tracking.sync import Sync


class FakeMirror:
    """An MLflow that can be away, and that refuses the jobs in `refused`."""

    def __init__(self) -> None:
        self.is_away = self.is_data_known = False
        self.refused: set[str] = set()
        self.calls: list[str] = []

    def is_available(self) -> bool:
        return not self.is_away

    def open(self, row: JobRow) -> str:
        self.calls.append("open")
        if self.is_away or row.id in self.refused:
            raise ConnectionError(row.id)
        return f"run of {row.id}"

    def describe(self, *_: object) -> None:
        self.calls.append("describe")

    def log_data(self, *_: object) -> bool:
        self.calls.append("data")
        return self.is_data_known


@pytest.fixture
def mirror() -> FakeMirror:
    """An MLflow that has no run."""
    return FakeMirror()


@pytest.fixture
def sync(database: Database, mirror: FakeMirror, tmp_path: Path) -> Sync:
    """Return a loop whose MLflow is the fake."""
    settings = Settings(home=tmp_path, mlflow_url="http://127.0.0.1:9")
    created = Sync(settings, database)
    created.mirror = mirror  # pyright: ignore[reportAttributeAccessIssue]
    return created


def test_a_job_has_its_run_before_anything_else_is_sent(
    database: Database, sync: Sync, mirror: FakeMirror
) -> None:
    lease = claimed(database)
    sync.open_runs()
    assert job(database, lease).mlflow_run_id == f"run of {lease.job_id}"
    assert mirror.calls == ["open"]
    sync.round()
    mirror.is_data_known = True
    sync.round()
    sync.round()
    assert mirror.calls == ["open", "describe", "data", "data"]


def test_a_job_that_mlflow_refuses_does_not_keep_others_from_their_runs(
    database: Database, sync: Sync, mirror: FakeMirror
) -> None:
    refused, accepted = claimed(database), claimed(database)
    mirror.refused = {refused.job_id}
    sync.open_runs()
    sync.open_runs()
    assert job(database, refused).mlflow_run_id is None
    assert job(database, accepted).mlflow_run_id == f"run of {accepted.job_id}"
    assert mirror.calls == ["open", "open"]  # the refused job is tried again later


class OneStart(threading.Event):
    """An end that comes after two waits. A job starts during the first."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self.database = database
        self.leases: list[Lease] = []

    def wait(self, timeout: float | None = None) -> bool:
        """Return at once."""
        del timeout
        if self.leases:
            self.set()
        else:
            self.leases.append(claimed(self.database))
        return self.is_set()


def test_the_loop_creates_the_run_of_a_job_that_starts_between_two_rounds(
    database: Database, sync: Sync, mirror: FakeMirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.tracking.sync.ROUND_SECONDS", 3600.0)
    ended = OneStart(database)
    sync.run(ended)
    assert job(database, ended.leases[0]).mlflow_run_id is not None
    assert mirror.calls == ["open"]


def test_no_job_is_sent_while_mlflow_is_away(
    database: Database, sync: Sync, mirror: FakeMirror
) -> None:
    lease = claimed(database)
    mirror.is_away = True
    with pytest.raises(ConnectionError):
        sync.open_runs()
    with database.read() as connection:
        assert mlflow_sync.list_without_run(connection) == [lease.job_id]
    mirror.is_away = False
    sync.open_runs()
    assert job(database, lease).mlflow_run_id is not None
