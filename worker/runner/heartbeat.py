"""The heartbeat of an attempt: shows progress twice a second and brings back what people ask."""

import os
import threading
import time
from collections.abc import Callable
from typing import Any

import structlog

from shared.database import Database
from shared.errors import Fenced, Unavailable
from shared.jobs.attempts import Lease
from shared.jobs.liveness import record_heartbeat
from worker.runner.writer import exit_fenced

log = structlog.get_logger()

BEAT_SECONDS = 0.5


class Heartbeat:
    """A thread that beats until the process ends.

    Args:
        database: where the heartbeat is shown.
        lease: of the attempt.
        *looks: called after each beat that arrived; they may end the process.
    """

    def __init__(self, database: Database, lease: Lease, *looks: Callable[[], None]) -> None:
        self.database = database
        self.lease = lease
        self.looks = looks
        self.progress: dict[str, Any] | None = None
        #: Set once somebody asked that the job ends.
        self.cancel = threading.Event()
        threading.Thread(target=self._run, name="pulse", daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                self._beat()
            except Fenced:
                exit_fenced()
            except Unavailable as error:
                log.warning("no heartbeat", error=str(error))
            except Exception:  # a training without a heartbeat would be taken for dead
                log.exception("no heartbeat")
            time.sleep(BEAT_SECONDS)

    def _beat(self) -> None:
        with self.database.write() as connection:
            requests = record_heartbeat(
                connection, self.lease, pid=os.getpid(), progress=self.progress
            )
        if requests.is_cancel_requested:
            self.cancel.set()
        for look in self.looks:
            look()
