"""Bringing a database to the newest tables: `python -m shared.migrations`."""

import time
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from shared.database import Database


def config(connection: sa.Connection | None = None) -> Config:
    """Alembic's configuration, without a file of its own."""
    alembic = Config()
    alembic.set_main_option("script_location", str(Path(__file__).parent))
    alembic.set_main_option("path_separator", "os")
    alembic.attributes["connection"] = connection
    return alembic


def upgrade(database: Database, revision: str = "head") -> None:
    """Bring the database to `revision`; two processes at once do it one after the other.

    Raises:
        RuntimeError: the database was made by a newer Trainshed.
    """
    with database.write() as connection:
        if connection.dialect.name == "postgresql":
            key = sa.func.hashtext("trainshed-migrations")
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))
        _refuse_newer(connection)
        command.upgrade(config(connection), revision)


def downgrade(database: Database, revision: str) -> None:
    """Take the database back to `revision`; what newer tables hold is lost."""
    with database.write() as connection:
        command.downgrade(config(connection), revision)


def wait_for_head(database: Database, *, timeout_seconds: float = 60.0) -> None:
    """Return once another process has brought the database to the newest revision.

    Raises:
        RuntimeError: it did not happen in time.
    """
    head = ScriptDirectory.from_config(config()).get_current_head()
    deadline = time.monotonic() + timeout_seconds
    while True:
        with database.read() as connection:
            found = MigrationContext.configure(connection).get_current_revision()
        if found == head:
            return
        if time.monotonic() > deadline:
            raise RuntimeError(
                f"the database is at revision {found}, this Trainshed needs {head}: run "
                "`python -m shared.migrations`"
            )
        time.sleep(0.2)


def _refuse_newer(connection: sa.Connection) -> None:
    found = MigrationContext.configure(connection).get_current_revision()
    script = ScriptDirectory.from_config(config())
    known = {revision.revision for revision in script.walk_revisions()}
    if found is not None and found not in known:
        raise RuntimeError(
            f"the database is at revision {found}, which this Trainshed does not know: it was "
            "made by a newer one; start that, or restore a backup"
        )
