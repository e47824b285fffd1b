"""The heartbeat of an attempt: writes its progress and reads what users request."""

import os
import threading
import time
from collections.abc import Callable
from typing import Any

import structlog

from shared.database import Database
from shared.errors import Fenced, Unavailable
from shared.jobs.attempts import Lease
from shared.jobs.liveness import read_spec, record_heartbeat
from worker.runner.gpu import used_mib
from worker.runner.retry import exit_fenced

log = structlog.get_logger()

BEAT_SECONDS = 0.5


class Heartbeat:
    """A thread that beats until the attempt or the process ends.

    Args:
        database: where the heartbeat is recorded.
        lease: of the attempt.
        *checks: run after each beat that the database confirmed; a check may end the process.
        on_spec: called before the checks of each beat with the job's specification as it is
            stored. It is read again when it has changed.
    """

    def __init__(
        self,
        database: Database,
        lease: Lease,
        *checks: Callable[[], None],
        on_spec: Callable[[Any], None] | None = None,
    ) -> None:
        #: The progress that the next beat records, as a job shows it.
        self.progress: dict[str, Any] | None = None
        #: Set once a user requests that the job is cancelled.
        self.cancel = threading.Event()
        #: Set while a user requests that the job is paused.
        self.pause = threading.Event()
        #: Set while the job is to give way to a waiting job.
        self.yields = threading.Event()
        self._database = database
        self._lease = lease
        self._checks = checks
        self._on_spec = on_spec
        self._spec: Any = None
        self._spec_sha256: str | None = None
        self._is_stopped, self._beating = False, threading.Lock()
        self.thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self.thread.start()

    def stop(self) -> None:
        """Beat no more: the next write ends the attempt, and a beat after it would be fenced."""
        with self._beating:
            self._is_stopped = True

    def _run(self) -> None:
        while not self._is_stopped:
            try:
                with self._beating:
                    if not self._is_stopped:
                        self._beat()
            except Fenced:
                exit_fenced()
            except Unavailable as error:
                log.warning("heartbeat not recorded", error=str(error))
            except Exception:  # without a heartbeat the attempt would be declared lost
                log.exception("heartbeat or one of its checks failed")
            time.sleep(BEAT_SECONDS)

    def _beat(self) -> None:
        with self._database.write() as connection:
            response = record_heartbeat(
                connection,
                self._lease,
                pid=os.getpid(),
                progress=self.progress,
                used_mib=used_mib(),
            )
        requests = response.requests
        if requests.is_cancel_requested:
            self.cancel.set()
        if requests.is_pause_requested:
            self.pause.set()
        else:  # never requested, or withdrawn
            self.pause.clear()
        if response.is_yield_requested:
            self.yields.set()
        else:
            self.yields.clear()
        if self._on_spec is not None:
            self._on_spec(self._read_spec(response.spec_sha256))
        for check in self._checks:
            check()

    def _read_spec(self, sha256: str) -> Any:
        """Return the specification of this hash."""
        if sha256 != self._spec_sha256:
            with self._database.read() as connection:
                self._spec = read_spec(connection, self._lease)
            self._spec_sha256 = sha256
        return self._spec
