"""Whole attempts in this process: where they resume, and the results of their job."""

import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from shared.jobs import events
from shared.storage import sha256_of_file
from tests.fakes.clock import Clock
from tests.worker.runner.installation import SPEC as ONE_STAGE
from tests.worker.runner.jobs import Jobs
from worker import data
from worker.assignment import ExitCode
from worker.runner import attempt, progress
from worker.runner.progress import Progress
from worker.training import checkpoint
from worker.training.epoch_sums import StepResult
from worker.training.reports import Stepped
from worker.training.step import Stepper

STEPS_PER_EPOCH = 4
#: The rate is constant: a stage stops after its second epoch, with the weights of its first.
STOPPING = {"monitor": "learning_rate", "mode": "max", "patience": 1, "restore_best": True}
STAGES = [
    {"name": "warm_up", "train": "head", "epochs": 9, "early_stopping": STOPPING},
    {"name": "fine_tune", "train": "all", "epochs": 1},
    {"name": "polish", "train": "all", "epochs": 9, "early_stopping": STOPPING},
]
SPEC: dict[str, Any] = {
    "dataset": {"name": "digits", "train": 64, "validation": 32, "test": 32},
    "architecture": {"name": "mlp", "hidden_units": [8]},
    "training": {"batch_size": 16},
    "fine_tuning": {"weights": None, "stages": STAGES},
}
ENDS = {
    "warm_up": "stopped early at epoch 2 of 9: learning_rate has not improved since epoch 1; "
    "weights of epoch 1 restored",
    "fine_tune": "finished its only epoch",
    "polish": "stopped early after 2 of its 9 epochs, at epoch 5: learning_rate has not improved "
    "since epoch 4; weights of epoch 4 restored",
}


def _ends(jobs: Jobs, job_id: str) -> dict[str, str]:
    return {name: end["text"] for name, end in jobs.job(job_id).result["stages"].items()}


def test_the_result_names_how_each_stage_ended(jobs: Jobs) -> None:
    job_id = jobs.submit(SPEC)
    assert jobs.run() == ExitCode.DONE
    assert _ends(jobs, job_id) == ENDS


# In each stage after the first, and past the last step.
@pytest.mark.parametrize("steps", [[9], [13, 15], [20]])
def test_the_result_includes_stages_that_earlier_attempts_finished(
    jobs: Jobs, steps: list[int]
) -> None:
    job_id = jobs.submit(SPEC)
    for step in steps:
        assert jobs.run(drain_at=step) == ExitCode.DRAINED
    assert jobs.run() == ExitCode.DONE
    assert _ends(jobs, job_id) == ENDS


class TestResumedInexact:
    """Whether a result is marked as `resumed_inexact`; another thread count is another machine."""

    @pytest.fixture(autouse=True)
    def _threads(self) -> Iterator[None]:
        threads = torch.get_num_threads()
        yield
        torch.set_num_threads(threads)

    @pytest.mark.parametrize(
        ("threads", "is_inexact"),
        [([1], False), ([1, 1, 1], False), ([2, 1], True), ([2, 1, 1], True), ([1, 2, 1], True)],
    )
    def test_a_result_is_inexact_once_any_resume_was(
        self, jobs: Jobs, threads: list[int], is_inexact: bool
    ) -> None:
        job_id = jobs.submit(SPEC)
        for number, count in enumerate(threads, start=1):
            torch.set_num_threads(count)
            is_last = number == len(threads)
            jobs.run(drain_at=None if is_last else 3 * number)
        assert jobs.job(job_id).result["resumed_inexact"] is is_inexact

    @pytest.mark.parametrize(
        ("attempt_count", "first"),
        [(1, 1), (2, 1), (2, 7), (3, 1)],  # the operation is used from the first step on
    )
    def test_a_resume_is_inexact_after_an_operation_without_deterministic_implementation(
        self, jobs: Jobs, monkeypatch: pytest.MonkeyPatch, attempt_count: int, first: int
    ) -> None:
        def step_with_put(
            self: Stepper, chosen_N: torch.Tensor, *, step: int, **rest: Any
        ) -> StepResult:
            if step >= first:
                torch.zeros(2).put_(torch.tensor([0]), torch.tensor([1.0]))
            return step_without_put(self, chosen_N, step=step, **rest)

        step_without_put = Stepper.step
        monkeypatch.setattr(Stepper, "step", step_with_put)
        job_id = jobs.submit(SPEC)
        with warnings.catch_warnings(record=True):
            for number in range(1, attempt_count):
                jobs.run(drain_at=3 * number)
            jobs.run()
        assert jobs.job(job_id).result["resumed_inexact"] is (attempt_count > 1)
        (note,) = jobs.notes(job_id)
        assert "no deterministic implementation of put_" in note


def test_a_job_that_is_killed_in_its_evaluation_ends_with_the_same_result(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise SystemExit

    job_id = jobs.submit(SPEC)
    with monkeypatch.context() as patch:
        patch.setattr(attempt, "evaluate_checkpoints", die)
        with pytest.raises(SystemExit):
            jobs.run()
    last = jobs.last(job_id)
    assert jobs.run() == ExitCode.DONE
    assert _ends(jobs, job_id) == ENDS
    assert jobs.last(job_id) == last


def test_the_last_checkpoint_has_the_restored_weights_of_the_last_stage(jobs: Jobs) -> None:
    job_id = jobs.submit(SPEC)
    jobs.run()
    last = jobs.last(job_id)
    assert last.directory.endswith("-restored")
    assert (last.stage, last.step) == ("polish", 5 * STEPS_PER_EPOCH)


def test_weights_restored_in_an_earlier_stage_need_no_further_checkpoint(jobs: Jobs) -> None:
    tuning = {"weights": None, "stages": STAGES[:2]}
    job_id = jobs.submit({**SPEC, "fine_tuning": tuning})
    jobs.run()
    last = jobs.last(job_id)
    assert not last.directory.endswith("-restored")
    assert (last.stage, last.step) == ("fine_tune", 3 * STEPS_PER_EPOCH)


class TestRetry:
    """A new job that resumes from the checkpoint of another job."""

    @pytest.fixture
    def origin(self, jobs: Jobs) -> str:
        """A job with two checkpoints of its last step: before and after restoring the best."""
        monitored = [{"monitor": "train_loss", "mode": "min"}]
        job_id = jobs.submit({**SPEC, "checkpoints": monitored})
        jobs.run()
        return job_id

    @pytest.fixture
    def retried(self, jobs: Jobs, origin: str) -> str:
        last = jobs.last(origin).id
        spec = {**SPEC, "checkpoints": [{"monitor": "train_loss", "mode": "min"}]}
        job_id = jobs.submit(spec, retry_of=origin, resume_from=last)
        assert jobs.run() == ExitCode.DONE
        return job_id

    def test_has_a_copy_of_each_checkpoint(self, jobs: Jobs, origin: str, retried: str) -> None:
        def checkpoints(job_id: str) -> dict[tuple[str, str | None, int], str]:
            return {
                (row.kind, row.monitor, row.step): row.sha256
                for row in jobs.checkpoints(job_id)
                if row.kind != "previous"
            }

        assert checkpoints(retried) == checkpoints(origin)
        assert len({row.sha256 for row in jobs.checkpoints(origin) if row.step == 20}) == 2
        for row in jobs.checkpoints(retried):
            path = jobs.storage.path(f"{row.directory}/weights.safetensors")
            assert sha256_of_file(path) == row.sha256, (row.kind, row.step)

    def test_starts_with_the_metrics_and_best_values_of_the_origin(
        self, jobs: Jobs, origin: str, retried: str
    ) -> None:
        before, after = jobs.job(origin), jobs.job(retried)
        assert after.metrics == before.metrics
        ids = {row.id for row in jobs.checkpoints(retried)}
        assert set(after.best) == {"train_loss"}
        best = after.best["train_loss"]
        assert best["checkpoint"] in ids
        assert best["value"] == before.best["train_loss"]["value"]


def test_an_epoch_recorded_without_its_checkpoint_is_recorded_once(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job is drained at the epoch's last step, then killed before the epoch's checkpoint."""
    job_id = jobs.submit()
    assert jobs.run(drain_at=STEPS_PER_EPOCH) == ExitCode.DRAINED

    def fail(*_: Any, **__: Any) -> None:
        raise OSError("killed here")

    with monkeypatch.context() as patched:
        patched.setattr(checkpoint, "save", fail)
        with pytest.raises(OSError, match="killed here"):
            jobs.run()
    assert [row.step for row in jobs.metrics(job_id, "val_loss")][:1] == [STEPS_PER_EPOCH]

    assert jobs.run() == ExitCode.DONE
    steps = [row.step for row in jobs.metrics(job_id, "val_loss")]
    assert steps == [STEPS_PER_EPOCH * epoch for epoch in (1, 2, 3, 4)]


def test_loading_does_not_lower_the_training_rate(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, shown = Clock(), list[dict[str, Any]]()

    def load_slowly(*arguments: Any, **options: Any) -> Any:
        clock.now += 3600
        return load_splits(*arguments, **options)

    def update_after_a_step(self: Progress, report: Stepped) -> dict[str, Any]:
        clock.now += 0.1
        shown.append(update(self, report))
        return shown[-1]

    load_splits, update = data.load_splits, Progress.update
    monkeypatch.setattr(data, "load_splits", load_slowly)
    monkeypatch.setattr(progress, "time", clock)
    monkeypatch.setattr(Progress, "update", update_after_a_step)
    jobs.submit()
    jobs.run()
    assert shown[0]["images_per_second"] == pytest.approx(160)


def test_a_checkpoint_of_several_rules_has_one_event(jobs: Jobs) -> None:
    """Otherwise an event would name a checkpoint that cannot be downloaded."""
    job_id = jobs.submit({**ONE_STAGE, "checkpoints": [{"every_epochs": 1}, {"every_epochs": 2}]})
    jobs.run()
    with jobs.database.read() as connection:
        rows = events.list_events(connection, job_id, limit=1000)
    ids = [row.data["id"] for row in rows if row.data.get("kind") == "series"]
    assert ids == [row.id for row in jobs.checkpoints(job_id) if row.kind == "series"]


def test_a_resume_of_a_job_that_is_not_deterministic_is_inexact(jobs: Jobs) -> None:
    training = {**ONE_STAGE["training"], "deterministic": False}
    for drains, is_inexact in (([], False), ([3], True)):
        job_id = jobs.submit({**ONE_STAGE, "training": training})
        for step in drains:
            jobs.run(drain_at=step)
        jobs.run()
        assert jobs.job(job_id).result["resumed_inexact"] is is_inexact
