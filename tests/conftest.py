"""Fixtures of all tests: a database made by the real migrations, on SQLite and PostgreSQL."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import structlog
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from shared import database as database_of_the_service
from shared.database import Database
from tests.databases import PostgresqlTables, make_tables

# The default prints the local variables of every frame, which slows the tested server down.
structlog.configure(
    processors=[
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)

# Most of a small test would be waiting for the disk. Real boxes are processes of their own.
database_of_the_service.SQLITE_PRAGMAS = tuple(
    pragma.replace("synchronous=FULL", "synchronous=OFF")
    for pragma in database_of_the_service.SQLITE_PRAGMAS
)

# Readline, which pytest loads, sets it for pytest's own workers: pipes would have 80 columns.
os.environ.pop("COLUMNS", None)

# The duration of an example depends on the machine, not only on the code.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

#: Folders of the tests that drive real boxes.
BOXES = ("tests/fundamentals/", "tests/e2e/", "tests/faults/")
REAL_BOX_SECONDS = 900.0

POSTGRESQL = os.environ.get(
    "TRAINSHED_TEST_POSTGRESQL", "postgresql://postgres@127.0.0.1:5432/postgres"
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests of real boxes first, with a longer timeout."""
    items.sort(key=lambda item: not item.nodeid.startswith(BOXES))
    for item in items:
        if item.nodeid.startswith(BOXES):
            item.add_marker(pytest.mark.timeout(REAL_BOX_SECONDS))


class SideBySide(LoadScopeScheduling):
    """Keep the tests of a file together, and run one real box at a time."""

    def _split_scope(self, nodeid: str) -> str:
        return "a box" if nodeid.startswith(BOXES) else nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> SideBySide:
    """Return the scheduler that `--numprocesses` uses."""
    return SideBySide(config, log)


def postgresql_answers() -> str | None:
    """Return why PostgreSQL does not respond, or None."""
    engine = sa.create_engine(
        sa.make_url(POSTGRESQL).set(drivername="postgresql+psycopg"),
        connect_args={"connect_timeout": 2},
    )
    try:
        with engine.connect():
            return None
    except sa.exc.OperationalError as error:
        return str(error.orig).strip().splitlines()[0]
    finally:
        engine.dispose()


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    """Each test starts with the usual umask, which `Settings.make_directories` changes."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture(scope="session")
def postgresql_away() -> str | None:
    """The reason why there is no PostgreSQL, or None."""
    return postgresql_answers()


@contextmanager
def postgresql_database(away: str | None) -> Iterator[str]:
    """Yield the address of an empty PostgreSQL database that is dropped afterwards.

    Args:
        away: why there is no PostgreSQL; the test is then skipped.
    """
    if away is not None:
        pytest.skip(f"needs a PostgreSQL server at its default port: {away}")
    address = sa.make_url(POSTGRESQL).set(drivername="postgresql+psycopg")
    name = f"trainshed_test_{secrets.token_hex(6)}"
    admin = sa.create_engine(address, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
        # As for SQLite above.
        connection.execute(sa.text(f"ALTER DATABASE {name} SET synchronous_commit TO off"))
    try:
        yield address.set(database=name, drivername="postgresql").render_as_string(
            hide_password=False
        )
    finally:
        with admin.connect() as connection:
            connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
        admin.dispose()


@pytest.fixture
def postgresql_url(postgresql_away: str | None) -> Iterator[str]:
    """The address of an empty PostgreSQL database that is dropped afterwards."""
    with postgresql_database(postgresql_away) as address:
        yield address


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database, once of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.db'}"
    return request.getfixturevalue("postgresql_url")


@pytest.fixture(scope="session")
def postgresql_tables(postgresql_away: str | None) -> Iterator[PostgresqlTables]:
    """The PostgreSQL database of the tests that need the newest tables."""
    with postgresql_database(postgresql_away) as address:
        yield PostgresqlTables(address)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database with the newest tables and no jobs, once of each kind."""
    if request.param == "sqlite":
        address = f"sqlite:///{tmp_path / 'test.db'}"
        database = Database(address, pool_size=1)
        make_tables(database)
        database.close()
        return address
    shared: PostgresqlTables = request.getfixturevalue("postgresql_tables")
    shared.reset()
    return shared.address


@pytest.fixture
def sqlite_database(tmp_path: Path) -> Iterator[Database]:
    """An open SQLite database with the newest tables, for what does not depend on the kind."""
    opened = Database(f"sqlite:///{tmp_path / 'test.db'}", pool_size=3)
    make_tables(opened)
    yield opened
    opened.close()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An open database with the newest tables, once of each kind."""
    opened = Database(database_url)
    yield opened
    opened.close()
