"""Migrations of the database to the newest tables: `python -m shared.migrations`."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa
import structlog
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from shared.database import Database
from shared.errors import Unavailable

TIMEOUT_SECONDS = 60.0
RETRY_SECONDS = 1.0
POLL_SECONDS = 0.2

log = structlog.get_logger()
Result = TypeVar("Result")


def alembic_config(connection: sa.Connection | None = None) -> Config:
    """Return the configuration of Alembic, which has no file."""
    alembic = Config()
    alembic.set_main_option("script_location", str(Path(__file__).parent))
    alembic.set_main_option("path_separator", "os")
    alembic.attributes["connection"] = connection
    return alembic


def upgrade(database: Database, revision: str = "head") -> None:
    """Migrate the database to `revision`. Two processes that do so at once take turns.

    Raises:
        RuntimeError: the database was made by a newer Trainshed.
    """
    with database.write() as connection:
        if connection.dialect.name == "postgresql":
            key = sa.func.hashtext("trainshed-migrations")
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))
            # An index of a large table takes longer than any request may.
            connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
        _refuse_newer(connection)
        command.upgrade(alembic_config(connection), revision)


def downgrade(database: Database, revision: str) -> None:
    """Migrate the database back to `revision`; the data of newer tables is lost."""
    with database.write() as connection:
        command.downgrade(alembic_config(connection), revision)


def wait_and_upgrade(database: Database, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
    """Migrate the database to the newest revision; wait for a server that is still starting.

    Raises:
        RuntimeError: the database did not answer in time, or was made by a newer Trainshed.
    """
    deadline = time.monotonic() + timeout_seconds
    _retry_until(database, upgrade, deadline)


def wait_for_head(database: Database, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
    """Wait until another process has migrated the database to the newest revision.

    Raises:
        RuntimeError: that did not happen in time, or the database did not answer.
    """
    head = ScriptDirectory.from_config(alembic_config()).get_current_head()
    deadline = time.monotonic() + timeout_seconds
    while True:
        current = _retry_until(database, _read_revision, deadline)
        if current == head:
            return
        if time.monotonic() > deadline:
            raise RuntimeError(
                f"The database is at revision {current}; this Trainshed needs {head}. Run "
                "`python -m shared.migrations`."
            )
        time.sleep(POLL_SECONDS)


def _read_revision(database: Database) -> str | None:
    with database.read() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def _retry_until(database: Database, act: Callable[[Database], Result], deadline: float) -> Result:
    """Return the result of `act`; call it again until the deadline while the server is away."""
    while True:
        try:
            return act(database)
        except Unavailable as error:
            text = str(getattr(error.__cause__, "orig", error.__cause__))
            reason = " ".join(text.split())  # one line, for the log
            # SQLite has no server that could still be starting.
            if database.is_sqlite or time.monotonic() > deadline:
                raise RuntimeError(f"The database does not answer: {reason}") from error
            log.warning("the database does not answer; trying again", reason=reason)
            time.sleep(RETRY_SECONDS)


def _refuse_newer(connection: sa.Connection) -> None:
    current = MigrationContext.configure(connection).get_current_revision()
    script = ScriptDirectory.from_config(alembic_config())
    revisions = {revision.revision for revision in script.walk_revisions()}
    if current is not None and current not in revisions:
        raise RuntimeError(
            f"The database is at revision {current}, which this Trainshed does not know. It was "
            "made by a newer version: start that version, or restore a backup."
        )
