"""Threads that write to SQLite at the same time share a commit, and nothing else."""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from shared.database import Database
from shared.errors import Unavailable

TABLE = sa.text("CREATE TABLE IF NOT EXISTS numbers (number INTEGER PRIMARY KEY)")
INSERT = sa.text("INSERT INTO numbers VALUES (:number)")
ALL = sa.text("SELECT number FROM numbers ORDER BY number")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'test.db'}")
    with database.write() as connection:
        connection.execute(TABLE)
    yield database
    database.close()


def _stored(database: Database) -> list[int]:
    with database.read() as connection:
        return list(connection.execute(ALL).scalars())


def _write(database: Database, number: int, error: Exception | None = None) -> int:
    with database.write() as connection:
        connection.execute(INSERT, {"number": number})
        if error is not None:
            raise error
    assert number in _stored(database), "a thread continues once its change is stored"
    return number


def _join(database: Database, futures: list[Future[int]], *errors: Exception | None) -> None:
    """Write 0 while other threads wait to write 1, 2, …, each with an error or None."""
    writer = database._writer
    assert writer is not None
    with ThreadPoolExecutor() as pool, database.write() as connection:
        connection.execute(INSERT, {"number": 0})
        for number, error in enumerate(errors, start=1):
            futures.append(pool.submit(_write, database, number, error))
        while writer._waiting < len(errors):
            time.sleep(0.001)


@pytest.fixture
def commits(database: Database) -> list[Any]:
    found: list[Any] = []
    event.listen(database.engine, "commit", found.append)
    return found


def test_writers_that_wait_share_a_commit(database: Database, commits: list[Any]) -> None:
    futures: list[Future[int]] = []
    _join(database, futures, None, None, None)
    assert [future.result() for future in futures] == [1, 2, 3]
    assert _stored(database) == [0, 1, 2, 3]
    assert len(commits) < 4


def test_an_error_undoes_the_changes_of_its_thread_alone(database: Database) -> None:
    futures: list[Future[int]] = []
    _join(database, futures, None, ValueError("refused"), None)
    assert (futures[0].result(), futures[2].result()) == (1, 3)
    with pytest.raises(ValueError, match="refused"):
        futures[1].result()
    assert _stored(database) == [0, 1, 3]


def test_an_error_of_the_first_thread_leaves_the_others(database: Database) -> None:
    futures: list[Future[int]] = []

    def write_and_fail() -> None:
        with ThreadPoolExecutor() as pool, database.write() as connection:
            connection.execute(INSERT, {"number": 0})
            futures.append(pool.submit(_write, database, 1))
            raise ValueError("refused")

    with pytest.raises(ValueError, match="refused"):
        write_and_fail()
    assert futures[0].result() == 1
    assert _stored(database) == [1]


def test_no_thread_goes_on_when_the_commit_fails(database: Database) -> None:
    def fail(_: Any) -> None:
        raise Unavailable("The disk is full.")

    futures: list[Future[int]] = []
    event.listen(database.engine, "commit", fail)
    with pytest.raises(Unavailable):
        _join(database, futures, None, None)
    for future in futures:
        with pytest.raises(Unavailable):
            future.result()
    event.remove(database.engine, "commit", fail)
    assert _stored(database) == []
    assert _write(database, 5) == 5


def test_changes_of_a_transaction_that_sqlite_ended_are_not_reported_as_stored(
    database: Database,
) -> None:
    def write_and_lose() -> None:
        with database.write() as connection:
            connection.execute(INSERT, {"number": 1})
            connection.exec_driver_sql("ROLLBACK")  # as SQLite does when the disk is full

    with pytest.raises(Unavailable):
        write_and_lose()
    assert _stored(database) == []
    assert _write(database, 2) == 2


def test_a_thread_that_gives_up_its_turn_leaves_no_commit_behind(database: Database) -> None:
    writer = database._writer
    assert writer is not None
    with ThreadPoolExecutor() as pool:
        writer._waiting += 1  # of a thread that is interrupted while it waits
        future = pool.submit(_write, database, 1)
        assert future.result(timeout=10) == 1
        writer._waiting -= 1
