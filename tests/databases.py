"""Databases with the newest tables, made once: a migration takes longer than most tests."""

import atexit
import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from shared import migrations, tables
from shared.database import Database, sqlite_driver

#: What `DROP DATABASE … WITH (FORCE)` does too, for connections that a test left open.
_CLOSE_CONNECTIONS = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_RESTART_SEQUENCES = "SELECT setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S'"


def make_tables(database: Database) -> None:
    """Give an empty SQLite database the newest tables."""
    with (
        closing(sqlite_driver().connect(_migrated())) as source,
        closing(database.engine.raw_connection()) as connection,
    ):
        source.backup(connection.driver_connection)


@cache
def _migrated() -> str:
    """Return the path of a migrated database, which is made once in a process."""
    directory = tempfile.TemporaryDirectory(prefix="trainshed-tables-")
    atexit.register(directory.cleanup)
    path = Path(directory.name) / "tables.db"
    database = Database(f"sqlite:///{path}", pool_size=1)
    migrations.upgrade(database)
    database.close()
    return str(path)


class PostgresqlTables:
    """The newest tables in a PostgreSQL database, which one test after the other uses."""

    def __init__(self, address: str) -> None:
        """Make the tables in the empty database at `address`."""
        self.address = address
        database = Database(address, pool_size=1)
        migrations.upgrade(database)
        with database.read() as connection:
            self._first_rows = {table.name: _rows(connection, table) for table in _all_tables()}
        database.close()

    def reset(self) -> None:
        """Restore the rows that the migrations wrote. Much faster than a new database."""
        database = Database(self.address, pool_size=1)
        with database.write() as connection:
            connection.execute(sa.text(_CLOSE_CONNECTIONS))
            for table in reversed(_all_tables()):
                connection.execute(sa.delete(table))
            for table in _all_tables():
                if rows := self._first_rows[table.name]:
                    connection.execute(sa.insert(table), rows)
            connection.execute(sa.text(_RESTART_SEQUENCES))
        database.close()


def _all_tables() -> list[sa.TableClause]:
    """Return the tables, each after the tables that it refers to."""
    return [sa.table("alembic_version", sa.column("version_num")), *tables.metadata.sorted_tables]


def _rows(connection: sa.Connection, table: sa.TableClause) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(sa.select(table)).mappings()]
