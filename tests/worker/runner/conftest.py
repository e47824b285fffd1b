from collections.abc import Iterator
from pathlib import Path

import pytest

from shared import migrations
from tests.fakes.database import FlakyDatabase
from worker.runner import retry


@pytest.fixture
def flaky_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FlakyDatabase]:
    monkeypatch.setattr(retry, "RETRY_SECONDS", 0.01)
    database = FlakyDatabase(f"sqlite:///{tmp_path / 'test.db'}", pool_size=3)
    migrations.upgrade(database)
    yield database
    database.close()
