"""What an attempt measures of itself."""

import time
from typing import Any

import pytest
import sqlalchemy as sa

from shared import tables
from shared.jobs.estimates.cost import cost_of
from tests.worker.runner.installation import SPEC
from tests.worker.runner.jobs import Jobs
from worker.assignment import ExitCode


def _observations(jobs: Jobs) -> list[Any]:
    with jobs.database.read() as connection:
        query = sa.select(tables.observations).order_by(tables.observations.c.id)
        return list(connection.execute(query))


def test_a_job_that_succeeds_shows_its_times_and_its_memory(jobs: Jobs) -> None:
    job = jobs.submit()
    began = time.monotonic()
    assert jobs.run() == ExitCode.DONE
    elapsed = time.monotonic() - began
    (found,) = _observations(jobs)
    cost = cost_of(jobs.job(job).spec)
    assert cost is not None
    assert (found.job_id, found.attempt, found.kind) == (job, 1, cost.kind)
    assert found.device_model == "CPU, 1 thread"
    assert 0 < found.seconds <= elapsed
    computing = found.pass_seconds * cost.passes
    assert computing + found.overhead_seconds == pytest.approx(found.seconds, rel=0.01)
    assert (found.fraction, found.sharers) == (1.0, 1)
    assert found.peak_memory_mib >= 0
    assert (found.basis, found.predicted_p50) == (None, None)


def test_the_next_job_of_the_kind_is_predicted_from_it(jobs: Jobs) -> None:
    jobs.submit()
    jobs.run()
    second = jobs.submit()
    row = jobs.job(second)
    assert row.seconds_p50 is not None
    assert row.seconds_p90 is not None
    assert row.seconds_p50 < row.seconds_p90
    jobs.run()
    assert _observations(jobs)[1].basis == "seen"


def test_a_job_that_stops_early_shows_the_fraction_of_its_epochs(jobs: Jobs) -> None:
    stopping = {"monitor": "val_loss", "patience": 1, "min_delta": 1e6}
    jobs.submit({**SPEC, "training": {**SPEC["training"], "early_stopping": stopping}})
    jobs.run()
    (found,) = _observations(jobs)
    assert 0 < found.fraction < 1


def test_a_paused_attempt_shows_its_speed_and_the_next_the_time_of_both(jobs: Jobs) -> None:
    job = jobs.submit()
    assert jobs.run(pause_at=10) == ExitCode.PAUSED
    (first,) = _observations(jobs)
    assert first.pass_seconds > 0
    assert (first.seconds, first.overhead_seconds, first.fraction) == (None, None, None)
    assert jobs.run() == ExitCode.DONE
    second = _observations(jobs)[1]
    assert (second.attempt, second.overhead_seconds) == (2, None)
    with jobs.database.read() as connection:
        attempts = tables.attempts.c
        row = connection.execute(
            sa.select(attempts.started_at, attempts.ended_at).where(
                attempts.job_id == job, attempts.number == 1
            )
        ).one()
    assert second.seconds > (row.ended_at - row.started_at).total_seconds()


def test_an_attempt_that_ends_in_its_first_epoch_shows_nothing(jobs: Jobs) -> None:
    jobs.submit()
    assert jobs.run(pause_at=2) == ExitCode.PAUSED
    assert _observations(jobs) == []
