"""A whole attempt in this process: where it goes on, and what its job says in the end."""

import signal
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from shared.jobs import attempts, events, queries
from shared.jobs.rows import CheckpointRow, MetricRow
from shared.storage import sha256_of_file
from tests.worker.clocks import Clock
from tests.worker.runner.attempts import SPEC as ONE_STAGE
from tests.worker.runner.attempts import Box
from worker.assignment import ExitCode
from worker.runner import attempt as module
from worker.runner import progress
from worker.runner.attempt import Attempt
from worker.runner.progress import Progress
from worker.training import checkpoint
from worker.training.epoch_sums import StepResult
from worker.training.reports import Stepped
from worker.training.step import Stepper

STEPS_OF_AN_EPOCH = 4
#: Worse means better: each stage stops after its second epoch and has its first one's weights back.
STOPPING = {"monitor": "val_loss", "mode": "max", "patience": 1, "restore_best": True}
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
    "warm_up": "early_stopping, best weights restored",
    "fine_tune": "epochs",
    "polish": "early_stopping, best weights restored",
}


class Heartbeat:
    """Beats nowhere, and sets an event at a step."""

    def __init__(self, *_: object) -> None:
        self.cancel = threading.Event()
        self.at_step: tuple[int, threading.Event] | None = None

    @property
    def progress(self) -> dict[str, Any]:
        raise NotImplementedError

    @progress.setter
    def progress(self, told: dict[str, Any]) -> None:
        if self.at_step is not None and told["step"] == self.at_step[0]:
            self.at_step[1].set()


class Jobs(Box):
    """Jobs of one database, each attempt of which is run here and now."""

    def attempt(self, *, drain_at: int | None = None) -> int:
        """Claim the job that waits and run it; return the exit code."""
        one = Attempt(self.assignment(), self.settings, self.database)
        assert isinstance(one.pulse, Heartbeat)
        if drain_at is not None:
            one.pulse.at_step = (drain_at, one.drain)
        code = None
        try:
            code = one.run()
        finally:
            if code != ExitCode.DONE:
                with self.database.write() as connection:
                    attempts.stop(connection, one.assignment.lease, "drained")
        return code

    def metrics(self, job_id: str, name: str) -> list[MetricRow]:
        with self.database.read() as connection:
            return queries.list_metrics(connection, job_id, name=name)

    def last(self, job_id: str) -> CheckpointRow:
        return next(row for row in self.checkpoints(job_id) if row.kind == "last")


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Jobs]:
    monkeypatch.setattr(module, "Heartbeat", Heartbeat)
    handler = signal.getsignal(signal.SIGTERM)
    opened = Jobs(tmp_path)
    yield opened
    opened.database.close()
    signal.signal(signal.SIGTERM, handler)


def test_a_job_says_how_each_stage_ended(jobs: Jobs) -> None:
    job_id = jobs.submit(SPEC)
    assert jobs.attempt() == ExitCode.DONE
    assert jobs.job(job_id).result["stages"] == ENDS


# In each stage after the first, and past the last step.
@pytest.mark.parametrize("steps", [[9], [13, 15], [20]])
def test_it_says_the_same_of_stages_that_an_earlier_attempt_finished(
    jobs: Jobs, steps: list[int]
) -> None:
    job_id = jobs.submit(SPEC)
    for step in steps:
        assert jobs.attempt(drain_at=step) == ExitCode.DRAINED
    assert jobs.attempt() == ExitCode.DONE
    assert jobs.job(job_id).result["stages"] == ENDS


class TestWhatIsSaidOfAResume:
    """Another number of threads stands for another machine."""

    @pytest.fixture(autouse=True)
    def _threads(self) -> Iterator[None]:
        threads = torch.get_num_threads()
        yield
        torch.set_num_threads(threads)

    @pytest.mark.parametrize(
        ("threads", "is_inexact"),
        [([1], False), ([1, 1, 1], False), ([2, 1], True), ([2, 1, 1], True), ([1, 2, 1], True)],
    )
    def test_it_is_inexact_once_any_resume_was(
        self, jobs: Jobs, threads: list[int], is_inexact: bool
    ) -> None:
        job_id = jobs.submit(SPEC)
        for number, count in enumerate(threads, start=1):
            torch.set_num_threads(count)
            is_last = number == len(threads)
            jobs.attempt(drain_at=None if is_last else 3 * number)
        assert jobs.job(job_id).result["resumed_inexact"] is is_inexact

    @pytest.mark.parametrize(
        ("attempts_made", "first"),
        [(1, 1), (2, 1), (2, 7), (3, 1)],  # the operation comes with this step
    )
    def test_it_is_inexact_where_torch_cannot_promise_the_same_bits(
        self, jobs: Jobs, monkeypatch: pytest.MonkeyPatch, attempts_made: int, first: int
    ) -> None:
        def take(self: Stepper, chosen_N: torch.Tensor, *, step: int, **rest: Any) -> StepResult:
            if step >= first:
                torch.zeros(2).put_(torch.tensor([0]), torch.tensor([1.0]))
            return take_step(self, chosen_N, step=step, **rest)

        take_step = Stepper.step
        monkeypatch.setattr(Stepper, "step", take)
        job_id = jobs.submit(SPEC)
        with warnings.catch_warnings(record=True):
            for number in range(1, attempts_made):
                jobs.attempt(drain_at=3 * number)
            jobs.attempt()
        assert jobs.job(job_id).result["resumed_inexact"] is (attempts_made > 1)
        (note,) = jobs.notes(job_id)
        assert "no deterministic implementation of put_" in note


def test_a_job_that_dies_while_it_is_evaluated_keeps_the_last_checkpoint_and_says_the_same(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise SystemExit

    job_id = jobs.submit(SPEC)
    with monkeypatch.context() as patch:
        patch.setattr(module, "evaluate_checkpoints", die)
        with pytest.raises(SystemExit):
            jobs.attempt()
    last = jobs.last(job_id)
    assert jobs.attempt() == ExitCode.DONE
    assert jobs.job(job_id).result["stages"] == ENDS
    assert jobs.last(job_id) == last


def test_the_last_checkpoint_has_the_weights_put_back_in_the_last_stage(jobs: Jobs) -> None:
    job_id = jobs.submit(SPEC)
    jobs.attempt()
    last = jobs.last(job_id)
    assert last.directory.endswith("-restored")
    assert (last.stage, last.step) == ("polish", 5 * STEPS_OF_AN_EPOCH)


def test_weights_put_back_in_an_earlier_stage_ask_for_no_further_checkpoint(jobs: Jobs) -> None:
    tuning = {"weights": None, "stages": STAGES[:2]}
    job_id = jobs.submit({**SPEC, "fine_tuning": tuning})
    jobs.attempt()
    last = jobs.last(job_id)
    assert not last.directory.endswith("-restored")
    assert (last.stage, last.step) == ("fine_tune", 3 * STEPS_OF_AN_EPOCH)


class TestRetry:
    """A new job that goes on from another one's checkpoint."""

    @pytest.fixture
    def origin(self, jobs: Jobs) -> str:
        """Two checkpoints of its last step: the weights it ended with, and the best put back."""
        monitored = [{"monitor": "train_loss", "mode": "min"}]
        job_id = jobs.submit({**SPEC, "checkpoints": monitored})
        jobs.attempt()
        return job_id

    @pytest.fixture
    def retried(self, jobs: Jobs, origin: str) -> str:
        last = jobs.last(origin).id
        spec = {**SPEC, "checkpoints": [{"monitor": "train_loss", "mode": "min"}]}
        job_id = jobs.submit(spec, retry_of=origin, resume_from=last)
        assert jobs.attempt() == ExitCode.DONE
        return job_id

    def test_each_checkpoint_is_what_it_was(self, jobs: Jobs, origin: str, retried: str) -> None:
        def kept(job_id: str) -> dict[tuple[str, str | None, int], str]:
            return {
                (row.kind, row.monitor, row.step): row.sha256
                for row in jobs.checkpoints(job_id)
                if row.kind != "previous"
            }

        assert kept(retried) == kept(origin)
        assert len({row.sha256 for row in jobs.checkpoints(origin) if row.step == 20}) == 2
        for row in jobs.checkpoints(retried):
            path = jobs.storage.path(row.directory) / "weights.safetensors"
            assert sha256_of_file(path) == row.sha256, (row.kind, row.step)

    def test_its_figures_start_as_they_were(self, jobs: Jobs, origin: str, retried: str) -> None:
        before, after = jobs.job(origin), jobs.job(retried)
        assert after.metrics == before.metrics
        own = {row.id for row in jobs.checkpoints(retried)}
        assert set(after.best) == {"train_loss"}
        best = after.best["train_loss"]
        assert best["checkpoint"] in own
        assert best["value"] == before.best["train_loss"]["value"]


def test_an_epoch_s_end_that_was_recorded_without_its_checkpoint_is_recorded_anew(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Drained at the epoch's last step, then killed between its metrics and its checkpoint."""
    job_id = jobs.submit()
    assert jobs.attempt(drain_at=STEPS_OF_AN_EPOCH) == ExitCode.DRAINED

    def gone(*_: Any, **__: Any) -> None:
        raise OSError("killed here")

    with monkeypatch.context() as patched:
        patched.setattr(checkpoint, "save", gone)
        with pytest.raises(OSError, match="killed here"):
            jobs.attempt()
    assert [row.step for row in jobs.metrics(job_id, "val_loss")][:1] == [STEPS_OF_AN_EPOCH]

    assert jobs.attempt() == ExitCode.DONE
    steps = [row.step for row in jobs.metrics(job_id, "val_loss")]
    assert steps == [STEPS_OF_AN_EPOCH * epoch for epoch in (1, 2, 3, 4)]


def test_loading_takes_nothing_from_the_rate_that_a_job_shows(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, told = Clock(), list[dict[str, Any]]()

    def load(*arguments: Any, **named: Any) -> Any:
        clock.now += 3600
        return load_splits(*arguments, **named)

    def after(self: Progress, report: Stepped) -> dict[str, Any]:
        clock.now += 0.1
        told.append(look(self, report))
        return told[-1]

    load_splits, look = module.datasets.load_splits, Progress.after
    monkeypatch.setattr(module.datasets, "load_splits", load)
    monkeypatch.setattr(progress, "time", clock)
    monkeypatch.setattr(Progress, "after", after)
    jobs.submit()
    jobs.attempt()
    assert told[0]["images_per_second"] == pytest.approx(160)


def test_a_step_that_several_rules_keep_is_told_of_once(jobs: Jobs) -> None:
    """Else the events name checkpoints that nobody can download."""
    job_id = jobs.submit({**ONE_STAGE, "checkpoints": [{"every_epochs": 1}, {"every_epochs": 2}]})
    jobs.attempt()
    with jobs.database.read() as connection:
        rows = events.list_events(connection, job_id, limit=1000)
    told = [row.data["id"] for row in rows if row.data.get("kind") == "series"]
    assert told == [row.id for row in jobs.checkpoints(job_id) if row.kind == "series"]


def test_it_says_that_a_resume_is_inexact_where_nobody_asked_for_the_same_bits(jobs: Jobs) -> None:
    training = {**ONE_STAGE["training"], "deterministic": False}
    for drains, is_inexact in (([], False), ([3], True)):
        job_id = jobs.submit({**ONE_STAGE, "training": training})
        for step in drains:
            jobs.attempt(drain_at=step)
        jobs.attempt()
        assert jobs.job(job_id).result["resumed_inexact"] is is_inexact
