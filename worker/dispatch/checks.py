"""Checks of uploaded data sets: one process at a time, started for the oldest unchecked row."""

import os
import subprocess
import sys
import time

import structlog

from shared import uploaded_datasets
from shared.database import Database
from shared.settings import Settings
from worker.dispatch.spare import ROOT, runner_environment
from worker.locks import check_lock, is_held

log = structlog.get_logger()

COMMAND = [sys.executable, "-m", "worker.checker"]
#: Between two looks for unchecked data sets while the doorbell does not ring.
POLL_SECONDS = 2.0
#: A check that takes longer is killed, and counts as an attempt.
TIMEOUT_SECONDS = 2 * 3600.0


class Checks:
    """The process that checks uploads, if one runs.

    Args:
        settings: of the worker.
        database: of the worker.
    """

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings = settings
        self.database = database
        self.process: subprocess.Popen[bytes] | None = None
        self._poll_at = self._started_at = 0.0

    def notify(self) -> None:
        """Look for an unchecked data set at the next tick."""
        self._poll_at = 0.0

    def tick(self) -> None:
        """Start a check if none runs and there is something to check."""
        if self.process is not None:
            code = self.process.poll()
            if code is None and time.monotonic() - self._started_at > TIMEOUT_SECONDS:
                self.process.kill()
            if code is None:
                return
            if code:
                log.error("a check of a data set ended", code=code)
            # After a crash the next attempt waits.
            self._poll_at = time.monotonic() + POLL_SECONDS if code else 0.0
            self.process = None
        if time.monotonic() < self._poll_at:
            return
        self._poll_at = time.monotonic() + POLL_SECONDS
        with self.database.read() as connection:
            unchecked = uploaded_datasets.unchecked(connection)
        for dataset_id in unchecked:
            if not is_held(check_lock(self.settings, dataset_id)):
                self._start(dataset_id)
                return

    def stop(self) -> None:
        """End the check; its row says that it has to be started again."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def _start(self, dataset_id: str) -> None:
        environment = runner_environment(os.environ) | {
            "TRAINSHED_HOME": str(self.settings.home),
            "OMP_NUM_THREADS": "1",
        }
        with (self.settings.home / "logs" / "checks.log").open("ab") as errors:
            self.process = subprocess.Popen(
                [*COMMAND, dataset_id],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                start_new_session=True,
            )
        self._started_at = time.monotonic()
