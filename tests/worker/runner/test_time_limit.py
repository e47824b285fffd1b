"""Who ends a job that has run for its max_runtime_seconds."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.errors import Fenced
from shared.jobs import attempts
from shared.jobs.rows import JobRow
from tests.shared.rows import attempt_row
from tests.worker.clocks import Clock
from tests.worker.runner.attempts import SPEC, Box
from worker.assignment import ExitCode
from worker.runner import observed_duration, time_limit
from worker.runner.time_limit import MARGIN_SECONDS, TimeLimit

LIMIT = 100


class Ended(BaseException):
    """The process would have ended."""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    def end(code: int) -> None:
        assert code == ExitCode.DONE
        raise Ended

    clock = Clock()
    monkeypatch.setattr(observed_duration, "time", clock)
    monkeypatch.setattr(time_limit, "time", clock)
    monkeypatch.setattr(time_limit.os, "_exit", end)
    return clock


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    box = Box(tmp_path)
    yield box
    box.database.close()


@pytest.fixture
def limit(box: Box, clock: Clock) -> TimeLimit:
    """Of the one job that there is."""
    box.submit({**SPEC, "resources": {"max_runtime_seconds": LIMIT}})
    limit = TimeLimit(box.assignment(), box.database)
    limit.seconds = LIMIT
    return limit


def _goes_by(seconds: float, clock: Clock, limit: TimeLimit) -> None:
    for _ in range(round(seconds)):
        clock.now += 1
        limit.look()


def _only(box: Box, limit: TimeLimit) -> JobRow:
    return box.job(limit._assignment.job_id)


def test_a_step_s_end_heeds_it_as_soon_as_it_is_over(clock: Clock, limit: TimeLimit) -> None:
    clock.now += LIMIT
    assert not limit.heed()
    clock.now += 1
    assert limit.heed()


def test_earlier_attempts_count(clock: Clock, limit: TimeLimit) -> None:
    began = datetime(2026, 1, 1, tzinfo=UTC)
    limit.add(
        [
            attempt_row(started_at=began, ended_at=began + timedelta(seconds=60)),
            attempt_row(number=2, started_at=began + timedelta(seconds=70)),
        ]
    )
    clock.now += 40
    assert not limit.heed()
    clock.now += 1
    assert limit.heed()


def test_without_a_limit_a_job_runs_for_ever(clock: Clock, box: Box) -> None:
    box.submit()
    unlimited = TimeLimit(box.assignment(), box.database)
    clock.now += 1e9
    assert not unlimited.heed()
    _goes_by(2 * MARGIN_SECONDS, clock, unlimited)
    assert _only(box, unlimited).state == "running"


def test_where_no_step_ends_the_job_fails_and_the_process_ends(
    clock: Clock, box: Box, limit: TimeLimit
) -> None:
    _goes_by(LIMIT + MARGIN_SECONDS - 1, clock, limit)
    assert _only(box, limit).state == "running"
    with pytest.raises(Ended):
        _goes_by(3, clock, limit)
    job = _only(box, limit)
    assert (job.state, job.reason) == ("failed", "max_runtime")
    assert f"{LIMIT} seconds" in str(job.failure)


def test_a_training_that_heeds_it_has_all_the_time_to_keep_what_it_has(
    clock: Clock, box: Box, limit: TimeLimit
) -> None:
    clock.now += LIMIT + 1
    assert limit.heed()
    _goes_by(10 * MARGIN_SECONDS, clock, limit)
    assert _only(box, limit).state == "running"


def test_one_that_waited_for_the_database_has_the_margin_after_that(
    clock: Clock, box: Box, limit: TimeLimit
) -> None:
    """A look follows a heartbeat that arrived: there was none for an hour."""
    _goes_by(10, clock, limit)
    clock.now += 3600
    _goes_by(MARGIN_SECONDS - observed_duration.MAX_GAP_SECONDS, clock, limit)
    assert _only(box, limit).state == "running"
    assert limit.heed()


def test_an_attempt_that_was_given_up_writes_nothing(
    clock: Clock, box: Box, limit: TimeLimit
) -> None:
    with box.database.write() as connection:
        attempts.stop(connection, limit._assignment.lease, "worker_lost")
    with pytest.raises(Fenced):
        _goes_by(LIMIT + MARGIN_SECONDS + 2, clock, limit)
    assert _only(box, limit).state == "queued"
