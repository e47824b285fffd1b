"""The heartbeat of an attempt: shows progress twice a second and brings back what people ask."""

import os
import threading
import time
from typing import Any

import structlog

from shared.database import Database
from shared.errors import Fenced, Unavailable
from shared.jobs.attempts import Lease, heartbeat
from worker.scribe import die_fenced

log = structlog.get_logger()

BEAT_SECONDS = 0.5


class Pulse:
    """A thread that beats until the process ends."""

    def __init__(self, database: Database, lease: Lease) -> None:
        self.database = database
        self.lease = lease
        self.progress: dict[str, Any] | None = None
        #: Set once somebody asked that the job ends.
        self.cancel = threading.Event()
        threading.Thread(target=self._beat, name="pulse", daemon=True).start()

    def _beat(self) -> None:
        while True:
            try:
                with self.database.write() as connection:
                    orders = heartbeat(
                        connection, self.lease, pid=os.getpid(), progress=self.progress
                    )
            except Fenced:
                die_fenced()
            except Unavailable as error:
                log.warning("no heartbeat", error=str(error))
            except Exception:  # a training without a heartbeat would be taken for dead
                log.exception("no heartbeat")
            else:
                if orders.cancel:
                    self.cancel.set()
            time.sleep(BEAT_SECONDS)
