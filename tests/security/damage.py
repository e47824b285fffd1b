"""Values that no code of ours writes into a column, as somebody with a SQL shell can."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import sqlalchemy as sa

from shared.database import Database, sqlite_driver
from shared.states import STATES

_DEEP = "'" + "[" * 600 + "]" * 600 + "'"
_JSON = ("NULL", "'null'", "'3'", "'[3]'", "'{}'", """'{"epoch": "x", "name": [1]}'""", _DEEP)
#: As SQL: what a column of SQLite takes, which has no types.
_SQLITE_JSON = (*_JSON, "'{'", "3", "x'fffe'")
_SQLITE = ("'yesterday'", "''", "NULL", "-1", "2147483647", "1.5", "x'fffe'", "CAST(x'ff' AS TEXT)")
#: What some column of PostgreSQL takes.
_POSTGRESQL = ("'yesterday'", "''", "NULL", "'-1'", "'2147483647'", "'NaN'", "'infinity'")
_POSTGRESQL += ("'0044-01-01 00:00:00+00 BC'",)


def values_for(database: Database, column: sa.Column[Any]) -> tuple[str, ...]:
    """Return the values, as SQL, for a column."""
    is_json = isinstance(column.type, sa.JSON)
    if database.is_sqlite:
        return _SQLITE_JSON if is_json else _SQLITE
    return _JSON if is_json else _POSTGRESQL


class Shell:
    """A SQL shell: without checks of foreign keys and states, as if by a newer version."""

    def __init__(self, database: Database) -> None:
        url = database.engine.url
        if database.is_sqlite:
            self.connection = sqlite_driver().connect(url.database, isolation_level=None)
            self.errors: Any = sqlite_driver().Error
            self.run("PRAGMA ignore_check_constraints = ON")
        else:
            address = url.set(drivername="postgresql").render_as_string(hide_password=False)
            self.connection = psycopg.connect(address, autocommit=True)
            self.errors = psycopg.Error
            self.run("SET session_replication_role = replica")
            self.run("ALTER TABLE jobs DROP CONSTRAINT IF EXISTS ck_jobs_state")

    def close(self) -> None:
        """Close the connection; the database checks states again."""
        if self.errors is psycopg.Error:
            states = ", ".join(map(repr, STATES))
            self.run(f"UPDATE jobs SET state = 'failed' WHERE state NOT IN ({states})")  # noqa: S608
            self.run(f"ALTER TABLE jobs ADD CONSTRAINT ck_jobs_state CHECK (state IN ({states}))")
        self.connection.close()

    def set(self, job_id: str, column: str, value: str) -> None:
        """Set a column of a job to a value, as SQL."""
        self.run(f"UPDATE jobs SET {column} = {value} WHERE id = '{job_id}'")  # noqa: S608

    def run(self, statement: str) -> None:
        """Run a statement and commit it."""
        self.connection.execute(statement)

    def accepts(self, statement: str) -> bool:
        """Run a statement; return whether the database took it."""
        try:
            self.run(statement)
        except self.errors:
            return False
        return True

    @contextmanager
    def damaged(self, table: sa.Table, column: str, value: str, where: str) -> Iterator[bool]:
        """Write a value into a column of some rows, and write the old rows back at the end.

        Yields:
            Whether the database took the value.
        """
        copy, names = f"kept_{table.name}", ", ".join(f'"{column.name}"' for column in table.c)
        self.run(f"CREATE TABLE {copy} AS SELECT * FROM {table.name}")  # noqa: S608
        try:
            yield self.accepts(f'UPDATE {table.name} SET "{column}" = {value} WHERE {where}')  # noqa: S608
        finally:
            self.run(f"DELETE FROM {table.name}")  # noqa: S608
            self.run(f"INSERT INTO {table.name} ({names}) SELECT {names} FROM {copy}")  # noqa: S608
            self.run(f"DROP TABLE {copy}")
