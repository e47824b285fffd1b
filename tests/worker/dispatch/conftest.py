"""A database and a claimed job."""

import pytest

from shared.database import Database
from shared.jobs.attempts import Lease
from tests.worker.jobs import claimed


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    return sqlite_database


@pytest.fixture
def lease(database: Database) -> Lease:
    return claimed(database)
