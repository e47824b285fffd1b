"""Starts the check of a patch once a job has ended whose specification requests it.

The column `awaits_verification` of the job is the request; it is cleared in the transaction that
records the check, so that neither a crash nor a second process makes a second check.
"""

import threading

import structlog

from api.findings import verification
from api.services.container import Services
from shared.errors import RowUnreadable, Unavailable
from shared.jobs import unreadable_rows
from shared.jobs.verifications import list_awaiting

log = structlog.get_logger()

ROUND_SECONDS = 2.0


class AutomaticChecks:
    """A thread of the API, because the specification with the patch has to pass admission."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._is_stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="automatic checks", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread; what it has not done yet is done at the next start."""
        self._is_stopped.set()

    def _run(self) -> None:
        while not self._is_stopped.wait(ROUND_SECONDS):
            try:
                self.start_due()
            except Unavailable as error:
                log.warning("no patch can be checked now", error=str(error))
            except Exception:
                log.exception("the automatic check of a patch failed")

    def start_due(self) -> None:
        """Start the check of each job that has ended and waits for it."""
        with self._services.database.read() as connection:
            job_ids = list_awaiting(connection)
        for job_id in job_ids:
            try:
                verification.start_automatically(self._services, job_id)
            except RowUnreadable as error:
                unreadable_rows.note(error)
