"""Writing to SQLite: the threads of a process share a connection, and their commits.

SQLite has one writer at a time, and a commit waits for the disk. So the threads take turns, and a
thread leaves its changes for the next thread to commit if one waits already: one commit stores the
changes of all of them. None of them continues before that. A shared connection keeps its pages in
memory, which the commit of another connection would invalidate.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from shared.errors import Unavailable

#: How many threads share a commit, and how long the first of them lets others join.
MAX_WRITERS, MAX_SECONDS = 32, 0.1
#: After so long without a commit a thread looks whether the others have gone.
POLL_SECONDS = 0.1


class _Commit:
    """A transaction of one or several threads."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self.transaction = connection.begin()
        self.began_at = time.monotonic()
        #: The threads whose changes are in it.
        self.writers = 0
        self.is_done = threading.Event()
        self.error: BaseException | None = None

    @contextmanager
    def part(self) -> Iterator[sa.Connection]:
        """Yield the connection for the changes of a thread, which an error undoes."""
        if self.writers:
            with self.connection.begin_nested():
                yield self.connection
        else:
            yield self.connection
        self.writers += 1

    @property
    def is_full(self) -> bool:
        """Whether no further thread may join."""
        return self.writers >= MAX_WRITERS or time.monotonic() - self.began_at > MAX_SECONDS

    def _check(self) -> None:
        """Check that there still is a transaction: SQLite itself ends it when the disk is full."""
        driver_connection: Any = self.connection.connection.driver_connection
        if not driver_connection.in_transaction:
            raise Unavailable("The database could not store the changes; try again.")

    def finish(self) -> None:
        """Commit what has been written; the threads that wait learn of an error."""
        try:
            if not self.writers:
                self.transaction.rollback()
                return
            self._check()
            self.transaction.commit()
        except BaseException as error:
            self.error = error
            with suppress(SQLAlchemyError):
                self.transaction.rollback()
            raise
        finally:
            self.is_done.set()


class SqliteWriter:
    """The connection with which the threads of a process write to SQLite.

    Args:
        engine: of the database. It begins a transaction for writing where the connection's `info`
            has `immediate`.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._turn = threading.Lock()
        self._count = threading.Lock()
        #: Threads that wait for their turn.
        self._waiting = 0
        self._connection: sa.Connection | None = None
        self._commit: _Commit | None = None

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """Yield the connection in a transaction, which is committed when the block has ended."""
        self._take_turn()
        try:
            commit = self._begin()
            try:
                with commit.part() as connection:
                    yield connection
            finally:
                if not self._waiting or not commit.writers or commit.is_full:
                    self._finish(commit)
        finally:
            self._turn.release()
        self._wait(commit)

    def close(self) -> None:
        """Close the connection; the next transaction opens it again."""
        with self._turn:
            self._close()

    def _take_turn(self) -> None:
        with self._count:
            self._waiting += 1
        try:
            self._turn.acquire()
        finally:
            with self._count:
                self._waiting -= 1

    def _begin(self) -> _Commit:
        """Return the transaction of the threads before, or begin another."""
        if self._commit is None:
            if self._connection is None:
                self._connection = self._engine.connect()
                self._connection.info["immediate"] = True
            try:
                self._commit = _Commit(self._connection)
            except BaseException:
                self._close()
                raise
        return self._commit

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(SQLAlchemyError):
                connection.info.pop("immediate", None)
                connection.close()

    def _finish(self, commit: _Commit) -> None:
        self._commit = None
        try:
            commit.finish()
        except BaseException:
            self._close()
            raise

    def _wait(self, commit: _Commit) -> None:
        """Wait until the changes are stored.

        Raises:
            Unavailable: they could not be stored.
        """
        while not commit.is_done.wait(POLL_SECONDS):
            # The thread that was to commit may have been interrupted while it waited for its turn.
            if self._turn.acquire(blocking=False):
                with suppress(BaseException):
                    if self._commit is commit:
                        self._finish(commit)
                self._turn.release()
        if commit.error is not None:
            raise commit.error
