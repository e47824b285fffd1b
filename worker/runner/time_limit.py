"""The limit max_runtime_seconds of a job or an analysis.

It stops at the end of a step once the limit is reached. Where no step ends, the heartbeat's
thread fails the job and ends the process.
"""

import os
import time
from collections.abc import Callable, Iterable
from typing import Any

import structlog

from shared.database import Database
from shared.errors import Failure
from shared.jobs import attempts
from shared.jobs.rows import AttemptRow
from worker.assignment import Assignment, ExitCode
from worker.runner.failures import MaxRuntimeReached, failure_of
from worker.runner.observed_duration import ObservedDuration

log = structlog.get_logger()

Explain = Callable[[BaseException, dict[str, Any]], Failure]

#: The time that a step has to end after the limit, before the process is ended.
MARGIN_SECONDS = 60.0


class TimeLimit:
    """How long a job may run, over all its attempts.

    Args:
        assignment: of the attempt.
        database: where a failure is recorded.
        explain: an error and the specification → the failure that the owner reads.
    """

    def __init__(
        self, assignment: Assignment, database: Database, explain: Explain = failure_of
    ) -> None:
        #: The job's max_runtime_seconds, once its specification is read; None for no limit.
        self.seconds: int | None = None
        self._assignment = assignment
        self._database = database
        self._explain = explain
        self._began = time.monotonic()
        self._earlier_seconds = 0.0
        self._is_stopping = False
        self._overtime = ObservedDuration()

    def add(self, rows: Iterable[AttemptRow]) -> None:
        """Count earlier attempts too. The current attempt, which has no end yet, is ignored."""
        self._earlier_seconds = sum(
            (row.ended_at - row.started_at).total_seconds()
            for row in rows
            if row.ended_at is not None
        )

    def update(self, spec: Any) -> None:
        """Take over the limit of the stored specification, which a user may have changed.

        Args:
            spec: as it was read; of a damaged specification the limit stays as it is.
        """
        resources = spec.get("resources") if isinstance(spec, dict) else None
        seconds = resources.get("max_runtime_seconds", 0) if isinstance(resources, dict) else 0
        if seconds is None or (isinstance(seconds, int) and seconds > 0):
            self.seconds = seconds

    def should_stop(self) -> bool:
        """Return whether the limit is reached.

        If it is, the caller stops, and `check` no longer ends the process: writing the
        last checkpoint may take as long as it needs.
        """
        self._is_stopping = self._is_reached
        return self._is_stopping

    def check(self) -> None:
        """Fail the job and end the process if the limit is long past and no step has ended since.

        Raises:
            Fenced: the attempt no longer holds the job.
            Unavailable: the database is away; the next check tries again.
        """
        is_overdue = self._is_reached and not self._is_stopping
        if self._overtime.observe(is_overdue or None) < MARGIN_SECONDS:
            return
        failure = self._explain(MaxRuntimeReached(self.seconds), self._assignment.spec)
        log.error("max_runtime_seconds reached and no step ends: exit", limit=self.seconds)
        with self._database.write() as connection:
            attempts.fail(connection, self._assignment.lease, failure)
        os._exit(ExitCode.DONE)

    @property
    def _is_reached(self) -> bool:
        if self.seconds is None:
            return False
        return self._earlier_seconds + time.monotonic() - self._began > self.seconds
