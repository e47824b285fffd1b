"""Bringing a database to the newest tables: `python -m shared.migrations`."""

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

PATIENCE_SECONDS = 60.0
PAUSE_SECONDS = 1.0

log = structlog.get_logger()
Result = TypeVar("Result")


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


def upgrade_patiently(database: Database, *, timeout_seconds: float = PATIENCE_SECONDS) -> None:
    """Bring the database to the newest revision, also one that is only being started.

    Raises:
        RuntimeError: it did not answer in time, or was made by a newer Trainshed.
    """
    deadline = time.monotonic() + timeout_seconds
    _once_it_answers(database, upgrade, deadline)


def wait_for_head(database: Database, *, timeout_seconds: float = PATIENCE_SECONDS) -> None:
    """Return once another process has brought the database to the newest revision.

    Raises:
        RuntimeError: it did not happen, or the database did not answer, in time.
    """
    head = ScriptDirectory.from_config(config()).get_current_head()
    deadline = time.monotonic() + timeout_seconds
    while True:
        found = _once_it_answers(database, _revision, deadline)
        if found == head:
            return
        if time.monotonic() > deadline:
            raise RuntimeError(
                f"the database is at revision {found}, this Trainshed needs {head}: run "
                "`python -m shared.migrations`"
            )
        time.sleep(0.2)


def _revision(database: Database) -> str | None:
    with database.read() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def _once_it_answers(
    database: Database, act: Callable[[Database], Result], deadline: float
) -> Result:
    """What `act` returns; a server that is away is asked again until the deadline."""
    while True:
        try:
            return act(database)
        except Unavailable as error:
            said = str(getattr(error.__cause__, "orig", error.__cause__))
            reason = " ".join(said.split())  # one line, as logs want it
            # A file is not being started: what is wrong with it stays wrong.
            if database.is_sqlite or time.monotonic() > deadline:
                raise RuntimeError(f"the database does not answer: {reason}") from error
            log.warning("the database does not answer yet; trying again", reason=reason)
            time.sleep(PAUSE_SECONDS)


def _refuse_newer(connection: sa.Connection) -> None:
    found = MigrationContext.configure(connection).get_current_revision()
    script = ScriptDirectory.from_config(config())
    known = {revision.revision for revision in script.walk_revisions()}
    if found is not None and found not in known:
        raise RuntimeError(
            f"the database is at revision {found}, which this Trainshed does not know: it was "
            "made by a newer one; start that, or restore a backup"
        )
