import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared import migrations
from tests.fakes.database import FlakyDatabase
from tests.worker.runner.jobs import FakeHeartbeat, Jobs
from worker.runner import attempt, retry


@pytest.fixture
def flaky_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FlakyDatabase]:
    monkeypatch.setattr(retry, "RETRY_SECONDS", 0.01)
    database = FlakyDatabase(f"sqlite:///{tmp_path / 'test.db'}", pool_size=3)
    migrations.upgrade(database)
    yield database
    database.close()


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Jobs]:
    monkeypatch.setattr(attempt, "Heartbeat", FakeHeartbeat)
    handler = signal.getsignal(signal.SIGTERM)
    jobs = Jobs(tmp_path)
    yield jobs
    jobs.database.close()
    signal.signal(signal.SIGTERM, handler)
