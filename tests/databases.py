"""Databases with the newest tables, as copies of one: a migration takes longer than most tests."""

import atexit
import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path

from shared import migrations
from shared.database import Database, sqlite_driver


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
