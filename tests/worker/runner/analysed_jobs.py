"""Analyses of a job that was trained in this process, and their attempts."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from shared.jobs import analyses, queries
from shared.jobs.analyses import NewAnalysis
from shared.jobs.rows import ArtifactRow, JobRow
from tests.worker.runner.jobs import FakeHeartbeat, Jobs
from worker.assignment import ExitCode
from worker.registry import analyses as kinds
from worker.runner import analysis
from worker.runner.analysis import AnalysisAttempt


class Heartbeat(FakeHeartbeat):
    """Sets an event at the first report."""

    first: str | None = None
    progress: Any = None

    def __init__(self, *arguments: object, **named: object) -> None:
        super().__init__(*arguments, **named)
        self.reports: list[dict[str, Any]] = []

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "progress":
            self.reports.append(value)
            if self.first == "cancel":
                self.cancel.set()
            elif self.first == "yield":
                self.yields.set()
            elif self.first == "drain":
                os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture
def trained(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> Iterator[Jobs]:
    """The jobs of an installation; the first has succeeded."""
    monkeypatch.setattr(analysis, "Heartbeat", Heartbeat)
    monkeypatch.setattr(Heartbeat, "first", None)
    jobs.submit()
    assert jobs.run() == ExitCode.DONE
    yield jobs
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def submit(
    jobs: Jobs,
    kind: str = "curvature",
    *,
    memory_mib: float = 1.0,
    planned_mib: float = 0.0,
    max_runtime_seconds: int | None = None,
    **changes: Any,
) -> str:
    """Request an analysis of the trained job's last checkpoint; return its id."""
    with jobs.database.write() as connection:
        subject = queries.list_jobs(connection, limit=1, only_owner=None)[0]
        rows = queries.list_checkpoints(connection, subject.id)
        new = NewAnalysis(
            owner="admin",
            subject=subject,
            kind=kind,
            checkpoint=next(row for row in rows if row.kind == "last"),
            checkpoint_name="last",
            parameters={**kinds.get(kind).defaults, **changes},
            memory_mib=memory_mib,
            planned_mib=planned_mib,
            max_runtime_seconds=max_runtime_seconds,
        )
        return analyses.submit(connection, new)[0]


def run(jobs: Jobs) -> tuple[int, AnalysisAttempt]:
    attempt = AnalysisAttempt(jobs.assignment(), jobs.settings, jobs.database)
    return attempt.run(), attempt


def files_of(jobs: Jobs, analysis_id: str) -> dict[str, ArtifactRow]:
    with jobs.database.read() as connection:
        return {row.name: row for row in queries.list_artifacts(connection, analysis_id)}


def failure_of(row: JobRow) -> dict[str, Any]:
    assert row.state == "failed"
    assert row.failure is not None
    return row.failure
