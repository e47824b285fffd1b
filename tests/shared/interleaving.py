"""Two transactions that overlap, in a forced order."""

import threading
import time
from collections.abc import Callable

import sqlalchemy as sa

from shared.database import Database
from shared.errors import ServiceError

#: Writes in the transaction of its connection.
Write = Callable[[sa.Connection], object]


def interleave(database: Database, first: Write, second: Write) -> list[ServiceError | None]:
    """Begin `first`, begin `second` after the first statement of `first`, and end both.

    Returns:
        The error of each, or None.
    """
    errors: list[ServiceError | None] = [None, None]
    ended = threading.Event()

    def run_second() -> None:
        errors[1] = _run(database, second)
        ended.set()

    thread = threading.Thread(target=run_second)

    def begin_second(*_: object) -> None:
        if thread.ident is None:
            thread.start()
            while not (ended.is_set() or _is_blocked(database)):
                time.sleep(0.01)

    def first_with_second(connection: sa.Connection) -> None:
        sa.event.listen(connection, "after_cursor_execute", begin_second)
        first(connection)

    errors[0] = _run(database, first_with_second)
    thread.join()
    return errors


def _run(database: Database, write: Write) -> ServiceError | None:
    try:
        with database.write() as connection:
            write(connection)
    except ServiceError as error:
        return error
    return None


def _is_blocked(database: Database) -> bool:
    """Return whether a transaction waits for another; SQLite always has a single writer."""
    if database.is_sqlite:
        return True
    with database.read() as connection:
        blocked = "SELECT bool_or(cardinality(pg_blocking_pids(pid)) > 0) FROM pg_stat_activity "
        query = sa.text(blocked + "WHERE datname = current_database()")
        return bool(connection.execute(query).scalar_one())
