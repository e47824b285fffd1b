"""A paused training continues exactly where it stopped."""

from typing import Any

import pytest

from shared.jobs import queries
from tests.worker.runner.installation import SPEC
from tests.worker.runner.jobs import Jobs
from worker.assignment import ExitCode
from worker.runner.attempt import Attempt

#: What a resume could get wrong: momentum, dropout, augmentation, batch norm and a schedule.
EXACT: dict[str, Any] = {
    **SPEC,
    "dataset": {"name": "digits", "train": 64, "validation": 32, "test": 32, "image_size": 16},
    "architecture": {"name": "vgg_small", "widths": [4, 8], "hidden_units": [8]},
    "regularizers": {"l2": {"weight": 0.001}, "mixup": {"alpha": 0.2}},
    "augmentation": {"rotation": 10, "zoom": 0.1},
    "optimizer": {
        "name": "sgd",
        "learning_rate": 0.02,
        "momentum": 0.9,
        "schedule": {"name": "inverse_time", "decay": 0.01},
    },
    "checkpoints": [{"monitor": "val_loss"}, {"epoch": 0}, {"every_epochs": 1}],
}
#: Not compared, since they depend on the time.
TIMED = {"seconds", "images_per_second"}


def _outcome(jobs: Jobs, job_id: str) -> dict[str, Any]:
    job = jobs.job(job_id)
    assert job.state == "succeeded", job.failure
    with jobs.database.read() as connection:
        metrics = queries.list_metrics(connection, job_id)
    return {
        "metrics": sorted(
            (row.name, row.step, row.epoch, row.value) for row in metrics if row.name not in TIMED
        ),
        "weights": sorted(
            (row.kind, row.monitor or "", row.step, row.sha256)
            for row in jobs.checkpoints(job_id)
            if row.kind != "previous"
        ),
    }


@pytest.mark.parametrize("steps", [[3], [3, 10], [5, 6, 7]])
def test_weights_and_metrics_are_those_of_a_job_that_was_never_paused(
    jobs: Jobs, steps: list[int]
) -> None:
    undisturbed = jobs.submit(EXACT)
    jobs.run()
    paused = jobs.submit(EXACT)
    for step in steps:
        assert jobs.run(pause_at=step) == ExitCode.PAUSED
        assert jobs.last(paused).step == step, "the checkpoint of the last step"
    jobs.run()
    assert jobs.first_steps(paused) == [0, *steps]
    assert _outcome(jobs, paused) == _outcome(jobs, undisturbed)
    assert jobs.job(paused).result["resumed_inexact"] is False


@pytest.mark.parametrize("steps", [[3, 9, 14]])
def test_a_job_that_gives_way_three_times_has_the_outcome_of_an_undisturbed_job(
    jobs: Jobs, steps: list[int]
) -> None:
    undisturbed = jobs.submit(EXACT)
    jobs.run()
    sharing = jobs.submit(EXACT)
    for step in steps:
        assert jobs.run(yield_at=step) == ExitCode.YIELDED
        assert jobs.last(sharing).step == step, "no step is lost"
    jobs.run()
    assert jobs.first_steps(sharing) == [0, *steps]
    assert _outcome(jobs, sharing) == _outcome(jobs, undisturbed)
    assert jobs.job(sharing).result["resumed_inexact"] is False


def test_a_job_does_not_give_way_after_its_last_step(jobs: Jobs) -> None:
    job_id = jobs.submit()
    assert jobs.run(yield_at=16) == ExitCode.DONE
    assert jobs.job(job_id).state == "succeeded"


def test_a_job_takes_a_step_before_it_gives_way(jobs: Jobs) -> None:
    job_id = jobs.submit()
    attempt = Attempt(jobs.assignment(), jobs.settings, jobs.database)
    attempt.heartbeat.yields.set()
    assert attempt.run() == ExitCode.YIELDED
    assert jobs.last(job_id).step == 1


def test_a_job_trains_on_until_a_checkpoint_can_be_taken_without_waiting(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([False, False, False, *[True] * 100])
    available = property(lambda _: next(answers))
    monkeypatch.setattr("worker.runner.recorder.Recorder.is_checkpoint_available", available)
    job_id = jobs.submit()
    assert jobs.run(yield_at=2) == ExitCode.YIELDED
    assert jobs.last(job_id).step == 5


def test_cancel_takes_precedence_over_pause_over_drain_over_yield(jobs: Jobs) -> None:
    jobs.submit()
    attempt = Attempt(jobs.assignment(), jobs.settings, jobs.database)
    for event, code in (
        (attempt.heartbeat.yields, ExitCode.YIELDED),
        (attempt.drain, ExitCode.DRAINED),
        (attempt.heartbeat.pause, ExitCode.PAUSED),
        (attempt.heartbeat.cancel, ExitCode.CANCELLED),
    ):
        event.set()
        assert attempt._requested_exit() == code


def test_pause_before_the_first_step_needs_no_checkpoint(jobs: Jobs) -> None:
    job_id = jobs.submit()
    attempt = Attempt(jobs.assignment(), jobs.settings, jobs.database)
    attempt.heartbeat.pause.set()
    assert attempt.run() == ExitCode.PAUSED
    assert jobs.checkpoints(job_id) == []
