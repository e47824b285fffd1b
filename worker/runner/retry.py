"""Database access of a runner: it waits out an outage, and ends the process once it is fenced."""

import os
import time
from collections.abc import Callable
from typing import NoReturn, TypeVar

import sqlalchemy as sa
import structlog

from shared.database import Database
from shared.errors import Fenced, Unavailable
from worker.assignment import ExitCode

log = structlog.get_logger()

RETRY_SECONDS = 0.5

Result = TypeVar("Result")


def read_with_retry(database: Database, read: Callable[[sa.Connection], Result]) -> Result:
    """Read from the database, and try again until it is available."""
    while True:
        try:
            with database.read() as connection:
                return read(connection)
        except Unavailable as error:
            _wait(error)


def write_with_retry(database: Database, write: Callable[..., object], *arguments: object) -> None:
    """Write under the fence in one transaction, and try again until the database is available.

    A write is repeated when it was stored but the confirmation was lost. So `write` must either
    change nothing the second time, as `begin_attempt` and a numbered batch do, or end the attempt,
    as `attempts.succeed` and `attempts.fail` do: the repetition is then fenced.

    Args:
        database: the database.
        write: is called with a connection and the arguments.
        *arguments: further arguments of `write`.
    """
    while True:
        try:
            with database.write() as connection:
                write(connection, *arguments)
        except Fenced:
            exit_fenced()
        except Unavailable as error:
            _wait(error)
        else:
            return


def exit_fenced() -> NoReturn:
    """End the process at once: another attempt holds the job, or the job has ended."""
    log.warning("fenced: this attempt no longer holds its job")
    os._exit(ExitCode.FENCED)


def _wait(error: Unavailable) -> None:
    log.warning("database unavailable", error=str(error))
    time.sleep(RETRY_SECONDS)
