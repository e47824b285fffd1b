"""A job's max_runtime_seconds: heeded where a step ends, and by the pulse where none does."""

import os
import time
from collections.abc import Iterable

import structlog

from shared.database import Database
from shared.jobs import attempts
from shared.jobs.rows import AttemptRow
from worker.assignment import Assignment, ExitCode
from worker.runner.failures import OutOfTime, failure_of
from worker.runner.observed_duration import ObservedDuration

log = structlog.get_logger()

#: So much later than a step's end would have been in time, the pulse ends the process.
MARGIN_SECONDS = 60.0


class TimeLimit:
    """How long a job may run, over all its attempts."""

    def __init__(self, assignment: Assignment, database: Database) -> None:
        self._assignment = assignment
        self._database = database
        #: The job's max_runtime_seconds, once its specification is read; None for no limit.
        self.seconds: int | None = None
        self._began = time.monotonic()
        self._earlier_seconds = 0.0
        self._is_heeded = False
        self._over = ObservedDuration()

    def add(self, earlier: Iterable[AttemptRow]) -> None:
        """Count earlier attempts as well; the one at work has no end yet."""
        self._earlier_seconds = sum(
            (attempt.ended_at - attempt.started_at).total_seconds()
            for attempt in earlier
            if attempt.ended_at is not None
        )

    def heed(self) -> bool:
        """Whether the training has to end here; it then has all the time to keep what it has."""
        self._is_heeded = self._is_over
        return self._is_heeded

    def look(self) -> None:
        """End a training that is long over its limit and reports no step, so as to heed it.

        Raises:
            Fenced: the attempt no longer holds the job.
            Unavailable: the database is away; the next look tries again.
        """
        is_missed = self._is_over and not self._is_heeded
        if self._over.observe(is_missed or None) < MARGIN_SECONDS:
            return
        failure = failure_of(OutOfTime(), self._assignment.spec)
        log.error("out of time, and no step ends: this process ends", seconds=self.seconds)
        with self._database.write() as connection:
            attempts.fail(connection, self._assignment.lease, failure)
        os._exit(ExitCode.DONE)

    @property
    def _is_over(self) -> bool:
        if self.seconds is None:
            return False
        return self._earlier_seconds + time.monotonic() - self._began > self.seconds
