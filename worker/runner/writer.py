"""Writes what a training has to say, in order, on a thread of its own: no step waits for it.

While the database is away, what is to be written waits here; a bound keeps memory in check.
"""

import os
import queue
import shutil
import threading
import time
from collections.abc import Callable
from typing import NoReturn, TypeVar

import sqlalchemy as sa
import structlog

from shared.database import Database
from shared.errors import Fenced, Unavailable
from shared.jobs.attempts import Lease
from shared.jobs.recording import Batch, record
from shared.storage import Storage
from worker.assignment import ExitCode

log = structlog.get_logger()

#: Tasks that may wait; a training that is further ahead of the database than this waits.
MOST_WAITING = 10_000
RETRY_SECONDS = 0.5

Task = Callable[[], Batch | None]
Found = TypeVar("Found")


class Writer:
    """A queue of tasks, each of which gives a batch to store (or None)."""

    def __init__(self, database: Database, storage: Storage, lease: Lease) -> None:
        self.database = database
        self.storage = storage
        self.lease = lease
        #: What went wrong on the thread; the training raises it at its next step.
        self.error: BaseException | None = None
        self._tasks: queue.Queue[Task] = queue.Queue(MOST_WAITING)
        #: How many batches were made: each has its number, so that none is stored twice.
        self._batches = 0
        threading.Thread(target=self._work, name="scribe", daemon=True).start()

    def put(self, task: Task | Batch) -> None:
        """Have a batch stored, or a task done that gives one, after all that came before."""
        self._tasks.put((lambda: task) if isinstance(task, Batch) else task)

    def flush(self) -> None:
        """Wait until everything is stored; raise what went wrong."""
        self._tasks.join()
        self.check()

    def settle(self) -> None:
        """Wait until everything is stored that can be, whatever went wrong."""
        self._tasks.join()

    def check(self) -> None:
        """Raise what went wrong on the thread."""
        if self.error is not None:
            raise self.error

    def _work(self) -> None:
        while True:
            task = self._tasks.get()
            try:
                batch = task() if self.error is None else None
                if batch is not None:
                    self._store(batch)
            except Exception as error:  # noqa: BLE001 - carried over to the training's thread
                self.error = error
            finally:
                self._tasks.task_done()

    def _store(self, batch: Batch) -> None:
        self._batches += 1
        # By any of the tries: the answer to the one that was stored may have been lost.
        released: set[str] = set()
        while True:
            try:
                with self.database.write() as connection:
                    released.update(record(connection, self.lease, batch, number=self._batches))
            except Fenced:
                exit_fenced()
            except Unavailable as error:
                log.warning("database away", error=str(error))
                time.sleep(RETRY_SECONDS)
                continue
            for directory in released:
                shutil.rmtree(self.storage.root / directory, ignore_errors=True)
            return


def write_with_retry(database: Database, write: Callable[..., object], *arguments: object) -> None:
    """Do one write under the fence, however long the database is away.

    It is done again when its answer was lost: the second time it has to change nothing, as
    `begin_attempt`, or find that the first one ended the attempt, as `succeed` and `fail`, after
    which this process has nothing left to do but end.
    """
    while True:
        try:
            with database.write() as connection:
                write(connection, *arguments)
        except Fenced:
            exit_fenced()
        except Unavailable as error:
            log.warning("database away", error=str(error))
            time.sleep(RETRY_SECONDS)
        else:
            return


def read_with_retry(database: Database, read: Callable[[sa.Connection], Found]) -> Found:
    """Read from the database, however long it is away."""
    while True:
        try:
            with database.read() as connection:
                return read(connection)
        except Unavailable as error:
            log.warning("database away", error=str(error))
            time.sleep(RETRY_SECONDS)


def exit_fenced() -> NoReturn:
    """End at once: another attempt holds the job, or it has ended."""
    log.warning("fenced: this attempt no longer holds its job")
    os._exit(ExitCode.FENCED)
