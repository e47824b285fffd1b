"""Consistent reads, read-only connections, and the supported versions of SQLite."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from shared import migrations
from shared.database import MIN_SQLITE_VERSION, Database, sqlite_driver

COUNT = sa.text("SELECT count(*) FROM alembic_version")
INSERT = sa.text("INSERT INTO alembic_version VALUES ('another')")


def test_read_connection_reads_one_state_until_it_is_closed(database: Database) -> None:
    with database.read() as connection:
        before = connection.execute(COUNT).scalar_one()
        with database.write() as other:
            other.execute(INSERT)
        assert connection.execute(COUNT).scalar_one() == before
    with database.read() as connection:
        assert connection.execute(COUNT).scalar_one() == before + 1


def test_connection_can_write_after_it_was_used_to_read(database_url: str) -> None:
    database = Database(database_url, pool_size=1)
    for _ in range(2):
        with database.read() as connection:
            before = connection.execute(COUNT).scalar_one()
        with database.write() as connection:
            connection.execute(INSERT if before == 1 else COUNT)
    with database.read() as connection:
        assert connection.execute(COUNT).scalar_one() == 2
    database.close()


def test_commits_of_a_process_outside_of_tests_wait_for_the_disk(tmp_path: Path) -> None:
    """Tests themselves do not wait: tests/conftest.py."""
    code = (
        "import sys; from shared.database import Database; import sqlalchemy as sa\n"
        "with Database(sys.argv[1]).read() as connection:\n"
        "    print(connection.execute(sa.text('PRAGMA synchronous')).scalar_one())"
    )
    command = [sys.executable, "-c", code, f"sqlite:///{tmp_path / 'test.db'}"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "2", "2 is FULL"


def test_postgresql_refuses_writes_on_a_read_connection(postgresql_url: str) -> None:
    database = Database(postgresql_url, pool_size=1)
    migrations.upgrade(database)
    with (
        pytest.raises(sa.exc.DBAPIError, match="read-only transaction"),
        database.read() as connection,
    ):
        connection.execute(INSERT)
    database.close()


class TestWithoutPysqlite3:
    @pytest.fixture(autouse=True)
    def _hide_pysqlite3(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "pysqlite3", None)
        monkeypatch.delitem(sys.modules, "pysqlite3.dbapi2", raising=False)

    def test_python_sqlite_is_used_where_its_version_is_safe(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Only the number is changed: this test works with any version.
        monkeypatch.setattr(sqlite3, "sqlite_version_info", MIN_SQLITE_VERSION)
        assert sqlite_driver() is sqlite3
        database = Database(f"sqlite:///{tmp_path / 'test.db'}", pool_size=2)
        migrations.upgrade(database)
        with database.read() as connection:
            assert connection.execute(COUNT).scalar_one() == 1
        database.close()

    def test_unsafe_version_is_refused_with_what_to_do(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 51, 2))
        monkeypatch.setattr(sqlite3, "sqlite_version", "3.51.2")
        with pytest.raises(RuntimeError, match=r"SQLite is 3\.51\.2.* 3\.51\.3 or newer.* Python"):
            Database("sqlite:///never-made.db")

    def test_postgresql_works_with_any_version_of_sqlite(
        self, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 40, 1))
        database = Database(postgresql_url, pool_size=1)
        migrations.upgrade(database)
        database.close()
