import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.databases import make_tables
from tests.fakes.database import FlakyDatabase
from tests.worker.runner.jobs import FakeHeartbeat, Jobs
from worker.runner import attempt, retry
from worker.runner.writer import AttemptWriter


@pytest.fixture(autouse=True)
def ended_writers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """End the threads of writers, which a runner leaves to the end of its process.

    Otherwise there are so many that the stacks of all threads lack some.
    """
    opened, init = list[AttemptWriter](), AttemptWriter.__init__

    def open_(writer: AttemptWriter, *arguments: Any) -> None:
        init(writer, *arguments)
        opened.append(writer)

    monkeypatch.setattr(AttemptWriter, "__init__", open_)
    yield
    for writer in opened:
        writer.close()


@pytest.fixture
def flaky_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FlakyDatabase]:
    monkeypatch.setattr(retry, "RETRY_SECONDS", 0.01)
    database = FlakyDatabase(f"sqlite:///{tmp_path / 'test.db'}", pool_size=3)
    make_tables(database)
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
