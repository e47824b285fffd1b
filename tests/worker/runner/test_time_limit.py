from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.errors import Fenced
from shared.jobs import attempts
from shared.jobs.rows import JobRow
from tests.fakes.clock import Clock
from tests.shared.rows import attempt_row
from tests.worker.runner.installation import SPEC, Installation
from worker.assignment import ExitCode
from worker.runner import observed_duration, time_limit
from worker.runner.time_limit import MARGIN_SECONDS, TimeLimit

LIMIT_SECONDS = 100


class ProcessEnded(BaseException):
    """The process would have ended."""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    def end(code: int) -> None:
        assert code == ExitCode.DONE
        raise ProcessEnded

    clock = Clock()
    monkeypatch.setattr(observed_duration, "time", clock)
    monkeypatch.setattr(time_limit, "time", clock)
    monkeypatch.setattr(time_limit.os, "_exit", end)
    return clock


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    installation = Installation(tmp_path)
    yield installation
    installation.database.close()


@pytest.fixture
def limit(installation: Installation, clock: Clock) -> TimeLimit:
    """The limit of the installation's only job."""
    installation.submit({**SPEC, "resources": {"max_runtime_seconds": LIMIT_SECONDS}})
    limit = TimeLimit(installation.assignment(), installation.database)
    limit.seconds = LIMIT_SECONDS
    return limit


def _pass_time(seconds: float, clock: Clock, limit: TimeLimit) -> None:
    """Advance the clock, with a check every second."""
    for _ in range(round(seconds)):
        clock.now += 1
        limit.check()


def _job(installation: Installation, limit: TimeLimit) -> JobRow:
    return installation.job(limit._assignment.job_id)


def test_training_should_stop_as_soon_as_the_limit_is_passed(
    clock: Clock, limit: TimeLimit
) -> None:
    clock.now += LIMIT_SECONDS
    assert not limit.should_stop()
    clock.now += 1
    assert limit.should_stop()


def test_earlier_attempts_count(clock: Clock, limit: TimeLimit) -> None:
    began = datetime(2026, 1, 1, tzinfo=UTC)
    limit.add(
        [
            attempt_row(started_at=began, ended_at=began + timedelta(seconds=60)),
            attempt_row(number=2, started_at=began + timedelta(seconds=70)),
        ]
    )
    clock.now += 40
    assert not limit.should_stop()
    clock.now += 1
    assert limit.should_stop()


def test_a_pause_does_not_count(clock: Clock, limit: TimeLimit) -> None:
    began, week = datetime(2026, 1, 1, tzinfo=UTC), timedelta(days=7)
    seconds = timedelta(seconds=30)
    limit.add(
        [
            attempt_row(started_at=began, ended_at=began + seconds, outcome="paused"),
            attempt_row(number=2, started_at=began + week, ended_at=began + week + seconds),
        ]
    )
    clock.now += 40
    assert not limit.should_stop()
    clock.now += 1
    assert limit.should_stop()


def test_a_new_limit_counts_at_once_and_a_damaged_specification_keeps_the_limit(
    clock: Clock, limit: TimeLimit
) -> None:
    clock.now += 50
    for spec in (
        None,
        "damaged",
        {},
        {"resources": []},
        {"resources": {"max_runtime_seconds": -1}},
    ):
        limit.update(spec)
        assert limit.seconds == LIMIT_SECONDS
    limit.update({"resources": {"max_runtime_seconds": 40}})
    assert limit.should_stop()
    limit.update({"resources": {"max_runtime_seconds": None}})
    assert not limit.should_stop()


def test_without_a_limit_a_job_may_run_forever(clock: Clock, installation: Installation) -> None:
    installation.submit()
    unlimited = TimeLimit(installation.assignment(), installation.database)
    clock.now += 1e9
    assert not unlimited.should_stop()
    _pass_time(2 * MARGIN_SECONDS, clock, unlimited)
    assert _job(installation, unlimited).state == "running"


def test_where_no_step_ends_the_job_fails_and_the_process_ends(
    clock: Clock, installation: Installation, limit: TimeLimit
) -> None:
    _pass_time(LIMIT_SECONDS + MARGIN_SECONDS - 1, clock, limit)
    assert _job(installation, limit).state == "running"
    with pytest.raises(ProcessEnded):
        _pass_time(3, clock, limit)
    job = _job(installation, limit)
    assert (job.state, job.reason) == ("failed", "max_runtime")
    assert job.failure is not None
    assert job.failure["message"] == f"The job reached its max_runtime_seconds of {LIMIT_SECONDS}."


def test_a_training_that_stops_may_take_any_time_for_its_last_checkpoint(
    clock: Clock, installation: Installation, limit: TimeLimit
) -> None:
    clock.now += LIMIT_SECONDS + 1
    assert limit.should_stop()
    _pass_time(10 * MARGIN_SECONDS, clock, limit)
    assert _job(installation, limit).state == "running"


def test_the_margin_begins_after_an_outage_of_the_database(
    clock: Clock, installation: Installation, limit: TimeLimit
) -> None:
    """A check follows each recorded heartbeat, and none was recorded for an hour."""
    _pass_time(10, clock, limit)
    clock.now += 3600
    _pass_time(MARGIN_SECONDS - observed_duration.MAX_GAP_SECONDS, clock, limit)
    assert _job(installation, limit).state == "running"
    assert limit.should_stop()


def test_a_fenced_attempt_writes_nothing(
    clock: Clock, installation: Installation, limit: TimeLimit
) -> None:
    with installation.database.write() as connection:
        attempts.stop(connection, limit._assignment.lease, "worker_lost")
    with pytest.raises(Fenced):
        _pass_time(LIMIT_SECONDS + MARGIN_SECONDS + 2, clock, limit)
    assert _job(installation, limit).state == "queued"
