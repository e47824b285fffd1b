"""Processes wait for a database server that is still starting."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from shared import migrations
from shared.database import Database
from tests.conftest import POSTGRESQL


@contextmanager
def _admin() -> Iterator[sa.Connection]:
    address = sa.make_url(POSTGRESQL).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(address, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def _allow_connections(url: str, *, allowed: bool) -> None:
    """Make the server accept or refuse connections to this database."""
    name = sa.make_url(url).database
    with _admin() as connection:
        connection.exec_driver_sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {allowed}")


@pytest.fixture
def refused_url(postgresql_url: str) -> str:
    """The address of an empty database that refuses connections."""
    _allow_connections(postgresql_url, allowed=False)
    return postgresql_url


def test_migration_continues_once_the_database_answers(refused_url: str, tmp_path: Path) -> None:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("TRAINSHED_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "shared.migrations"],
        env=clean | {"TRAINSHED_HOME": str(tmp_path), "TRAINSHED_DATABASE_URL": refused_url},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    first = process.stderr.readline()
    _allow_connections(refused_url, allowed=True)
    rest = process.communicate()[1]
    assert process.returncode == 0, first + rest
    assert "the database does not answer; trying again" in first
    assert "not currently accepting connections" in first  # the reason of the server
    database = Database(refused_url, pool_size=1)
    migrations.wait_for_head(database, timeout_seconds=0)
    database.close()


def test_process_that_needs_the_tables_waits_for_the_database(
    refused_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(refused_url, pool_size=1)

    def start_server(_seconds: float) -> None:
        _allow_connections(refused_url, allowed=True)
        migrations.upgrade(database)

    monkeypatch.setattr(migrations.time, "sleep", start_server)
    migrations.wait_for_head(database)
    database.close()


@pytest.mark.parametrize("wait", [migrations.wait_and_upgrade, migrations.wait_for_head])
def test_timeout_reports_the_reason_of_the_server(wait: object, refused_url: str) -> None:
    database = Database(refused_url, pool_size=1)
    assert callable(wait)
    with pytest.raises(RuntimeError, match=r"does not answer: .* not currently accepting"):
        wait(database, timeout_seconds=0)
    database.close()


def test_sqlite_file_that_cannot_be_opened_fails_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sleep(_seconds: float) -> None:
        pytest.fail("waited")

    monkeypatch.setattr(migrations.time, "sleep", sleep)
    database = Database(f"sqlite:///{tmp_path / 'missing' / 'trainshed.db'}", pool_size=1)
    with pytest.raises(RuntimeError, match="unable to open database file"):
        migrations.wait_and_upgrade(database)
    database.close()
