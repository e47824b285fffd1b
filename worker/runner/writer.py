"""Writes the records of an attempt in order on a separate thread, so that no step waits for it."""

import queue
import shutil
import threading
from collections.abc import Callable

from shared.database import Database
from shared.jobs.attempts import Lease
from shared.jobs.recording import Batch, record
from shared.storage import Storage
from worker.runner.retry import write_with_retry

#: Training waits while this many tasks are queued, which bounds memory while the database is away.
MAX_QUEUED_TASKS = 10_000

#: Runs on the writer's thread, and returns what to store.
WriteTask = Callable[[], Batch | None]


class AttemptWriter:
    """A queue of batches to store, and of tasks that return a batch or None.

    After an error on the thread the remaining tasks are dropped, and the error is raised on the
    training's thread by `raise_error` and `flush`.
    """

    def __init__(self, database: Database, storage: Storage, lease: Lease) -> None:
        self.database = database
        self.storage = storage
        self.lease = lease
        self._error: BaseException | None = None
        #: None ends the thread.
        self._tasks: queue.Queue[WriteTask | None] = queue.Queue(MAX_QUEUED_TASKS)
        #: Batches so far. Each has a number, so that none is stored twice.
        self._batches = 0
        threading.Thread(target=self._run, name="writer", daemon=True).start()

    def put(self, task: WriteTask | Batch) -> None:
        """Queue a batch, or a task that returns one."""
        self._tasks.put((lambda: task) if isinstance(task, Batch) else task)

    def flush(self) -> None:
        """Wait until everything queued is stored; raise the error of the thread if there is one."""
        self.join()
        self.raise_error()

    def join(self) -> None:
        """Wait until everything queued is stored, or dropped after an error."""
        self._tasks.join()

    def close(self) -> None:
        """End the thread once everything queued is stored; does not wait for it."""
        self._tasks.put(None)

    def raise_error(self) -> None:
        """Raise the error of the thread if there is one."""
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while (task := self._tasks.get()) is not None:
            try:
                batch = task() if self._error is None else None
                if batch is not None:
                    self._store(batch)
            except Exception as error:  # noqa: BLE001 - raised again on the training's thread
                self._error = error
            finally:
                self._tasks.task_done()

    def _store(self, batch: Batch) -> None:
        self._batches += 1
        # Filled by every try: the confirmation of the try that stored the batch may be lost.
        released: set[str] = set()
        write_with_retry(
            self.database,
            lambda c: released.update(record(c, self.lease, batch, number=self._batches)),
        )
        for directory in released:
            shutil.rmtree(self.storage.root / directory, ignore_errors=True)
