"""The database: SQLite in WAL mode or PostgreSQL, behind `read` and `write`."""

import importlib
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from shared import clock
from shared.errors import Unavailable
from shared.sqlite_writer import SqliteWriter

MIN_SQLITE_VERSION = (3, 51, 3)  # earlier versions can corrupt a WAL file of several connections


#: Values up to this depth are written as JSON in any case.
MAX_WRITTEN_DEPTH = 200


#: PostgreSQL's codes of a missing table and column; SQLite's error is an `OperationalError`.
MIGRATING = {"42P01", "42703"}


#: After this time without an answer of the network, a connection to PostgreSQL is given up.
CUT_OFF_SECONDS = 15
#: A connection to PostgreSQL is replaced after this time, which measures the clocks again.
RECYCLE_SECONDS = 600


#: With them a commit is on the disk, and reading does not wait for writing.
SQLITE_PRAGMAS: tuple[str, ...] = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "temp_store=MEMORY",
    "journal_size_limit=67108864",
)


class InvalidJson:
    """The value of a column whose text is not JSON."""


class Database:
    """An engine, opened once in a process and never used after a fork."""

    def __init__(self, url: str, *, pool_size: int = 45) -> None:
        self.is_sqlite = url.startswith("sqlite")
        #: Called after each transaction that may have changed something, before `write` returns.
        self.after_write: Callable[[], None] = lambda: None
        if self.is_sqlite:
            self.engine = self._reader = _sqlite(url, pool_size)
            self._writer: SqliteWriter | None = SqliteWriter(self.engine)
        else:
            self.engine, self._writer = _postgresql(url, pool_size), None
            # Without REPEATABLE READ each statement reads a different state of the database.
            self._reader = self.engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Yield a connection that reads one consistent state of the database."""
        with _translate_errors(), self._reader.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """Yield a connection in a transaction, which is committed durably at the end."""
        try:
            with self._write() as connection:
                yield connection
        finally:
            self.after_write()

    @contextmanager
    def _write(self) -> Iterator[sa.Connection]:
        with _translate_errors():
            if self._writer is None:
                with self.engine.begin() as connection:
                    yield connection
            else:
                with self._writer.transaction() as connection:
                    yield connection

    def close(self) -> None:
        """Close every connection."""
        if self._writer is not None:
            self._writer.close()
        self.engine.dispose()


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Raise Unavailable when the database is away or overloaded."""
    try:
        yield
    except PoolTimeoutError as error:
        raise Unavailable("The database is overloaded; try again.") from error
    except DBAPIError as error:
        if error.connection_invalidated or isinstance(error, OperationalError):
            raise Unavailable("The database does not answer; try again.") from error
        if getattr(error.orig, "sqlstate", None) in MIGRATING:
            raise Unavailable("The database belongs to another version; try again.") from error
        raise


def _dumps(value: Any) -> str:
    return orjson.dumps(value).decode()


def _loads(text: str | bytes) -> Any:
    """Return the JSON value, or `InvalidJson`: `StoredRow.read` then names the column."""
    try:
        value = orjson.loads(text)
        if isinstance(value, dict | list) and _brackets(text) > MAX_WRITTEN_DEPTH:
            orjson.dumps(value)  # which refuses deep values that it reads
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return InvalidJson()
    return value


def _brackets(text: str | bytes) -> int:
    """Return how many brackets are opened, which no depth exceeds."""
    if isinstance(text, str):
        return text.count("[") + text.count("{")
    return text.count(b"[") + text.count(b"{")


def sqlite_driver() -> ModuleType:
    """Return the driver of pysqlite3's wheel, or Python's where this machine has no wheel.

    Raises:
        RuntimeError: its SQLite is too old for WAL mode.
    """
    try:
        driver = importlib.import_module("pysqlite3.dbapi2")
    except ModuleNotFoundError:
        driver = sqlite3
    if driver.sqlite_version_info < MIN_SQLITE_VERSION:
        oldest = ".".join(map(str, MIN_SQLITE_VERSION))
        raise RuntimeError(
            f"SQLite is {driver.sqlite_version}, which can damage a database in WAL mode; it must "
            f"be {oldest} or newer. Install pysqlite3 0.6.1, use a Python that is built with a "
            "newer SQLite, or set TRAINSHED_DATABASE_URL to a PostgreSQL database."
        )
    return driver


def _sqlite(url: str, pool_size: int) -> sa.Engine:
    engine = sa.create_engine(
        url,
        module=sqlite_driver(),
        json_serializer=_dumps,
        json_deserializer=_loads,
        pool_size=pool_size,
        # The connection that was used last: each has a cache of 2 MB.
        pool_use_lifo=True,
        max_overflow=10,
        pool_timeout=5,
        connect_args={"timeout": 10.0, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # `_begin` sends BEGIN
        connection.text_factory = _text
        for pragma in SQLITE_PRAGMAS:
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        # A deferred transaction that begins to write would fail at once instead of waiting.
        mode = "IMMEDIATE" if connection.info.get("immediate") else "DEFERRED"
        connection.exec_driver_sql(f"BEGIN {mode}")

    return engine


def _follow_clock(connection: Any) -> None:
    """Correct this process's clock by the server's: other hosts use the same server."""
    asked_at = clock.local_now()
    row = connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()
    answered_at = clock.local_now()
    connection.rollback()
    reported = datetime.fromtimestamp(row[0], UTC)
    clock.follow(reported, asked_at=asked_at, answered_at=answered_at)


def _text(stored: bytes) -> str | bytes:
    """Return a text of SQLite; unchanged if it is not UTF-8: `StoredRow.read` names the column."""
    try:
        return stored.decode()
    except UnicodeDecodeError:
        return stored


def _postgresql(url: str, pool_size: int) -> sa.Engine:
    from shared import postgresql_times  # noqa: PLC0415 - a box with SQLite may lack psycopg

    engine = sa.create_engine(
        sa.make_url(url).set(drivername="postgresql+psycopg"),
        json_serializer=_dumps,
        json_deserializer=_loads,
        pool_size=min(pool_size, 20),
        max_overflow=30,
        pool_timeout=5,
        pool_pre_ping=True,
        pool_recycle=RECYCLE_SECONDS,
        connect_args={
            "connect_timeout": 5,
            # A connection of a host that was cut off would else hang for a quarter of an hour
            "tcp_user_timeout": CUT_OFF_SECONDS * 1000,
            "options": "-c statement_timeout=10000 -c lock_timeout=5000 "
            "-c idle_in_transaction_session_timeout=20000 -c timezone=UTC",
        },
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        _follow_clock(connection)
        postgresql_times.register(connection)

    return engine
