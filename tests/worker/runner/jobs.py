"""Jobs whose attempts run in this process."""

import threading
from typing import Any

import pytest

from shared.errors import Failure
from shared.jobs import attempts, control, queries
from shared.jobs.findings import FindingRow, list_findings
from shared.jobs.rows import CheckpointRow, MetricRow
from tests.worker.runner.installation import Installation
from worker.assignment import ExitCode
from worker.runner.attempt import Attempt
from worker.runner.failures import failure_of


class FakeHeartbeat:
    """A heartbeat without a database, which sets an event at a step."""

    def __init__(self, *_: object, **__: object) -> None:
        self.cancel = threading.Event()
        self.pause = threading.Event()
        self.yields = threading.Event()
        self.at_step: tuple[int, threading.Event] | None = None

    @property
    def progress(self) -> dict[str, Any]:
        raise NotImplementedError

    @progress.setter
    def progress(self, progress: dict[str, Any]) -> None:
        if self.at_step is not None and progress["step"] == self.at_step[0]:
            self.at_step[1].set()

    def stop(self) -> None:
        """Do nothing: there are no beats."""


class Jobs(Installation):
    """The jobs of a database, whose attempts run in this process."""

    def run(
        self,
        *,
        drain_at: int | None = None,
        pause_at: int | None = None,
        yield_at: int | None = None,
    ) -> int:
        """Claim the queued job and run an attempt; return the exit code."""
        attempt = Attempt(self.assignment(), self.settings, self.database)
        assert isinstance(attempt.heartbeat, FakeHeartbeat)
        if drain_at is not None:
            attempt.heartbeat.at_step = (drain_at, attempt.drain)
        if pause_at is not None:
            attempt.heartbeat.at_step = (pause_at, attempt.heartbeat.pause)
        if yield_at is not None:
            attempt.heartbeat.at_step = (yield_at, attempt.heartbeat.yields)
        code = None
        try:
            code = attempt.run()
        finally:
            if code != ExitCode.DONE:
                with self.database.write() as connection:
                    attempts.stop(connection, attempt.assignment.lease, "drained")
        return code

    def metrics(self, job_id: str, name: str) -> list[MetricRow]:
        with self.database.read() as connection:
            return queries.list_metrics(connection, job_id, name=name)

    def last(self, job_id: str) -> CheckpointRow:
        return next(row for row in self.checkpoints(job_id) if row.kind == "last")

    def steps(self, job_id: str) -> dict[str, int]:
        """Return the step of each checkpoint by its kind."""
        return {row.kind: row.step for row in self.checkpoints(job_id)}

    def first_steps(self, job_id: str) -> list[int]:
        """Return the step from which each attempt resumed."""
        with self.database.read() as connection:
            rows = queries.list_attempts(connection, job_id)
        return [row.first_step or 0 for row in rows]

    def findings(self, job_id: str) -> list[FindingRow]:
        with self.database.read() as connection:
            return list_findings(connection, job_id)

    def failure_of(self, job_id: str) -> Failure:
        """Run the job's attempt, which must fail; return the failure that the job would get."""
        with pytest.raises(Exception) as raised:  # noqa: PT011 - the failure is checked
            self.run()
        return failure_of(raised.value, self.job(job_id).spec)

    def cancel(self, job_id: str) -> None:
        with self.database.write() as connection:
            control.request_cancel(connection, job_id)
