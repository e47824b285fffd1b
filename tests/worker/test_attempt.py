"""A whole attempt in this process: where it goes on, and what its job says in the end."""

import signal
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from api.catalog.methods import Methods
from api.jobs.admission import admit
from shared import catalog, migrations
from shared.database import Database
from shared.jobs import attempts, reading
from shared.jobs.submission import Submission, submit
from shared.settings import Settings
from shared.storage import Storage, sha256_of_file
from tests.desks import nobody
from worker import attempt as module
from worker.assignment import DONE, DRAINED, Assignment
from worker.attempt import Attempt

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


class Pulse:
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


@cache
def _methods() -> Methods:
    return Methods(catalog.load())


class Jobs:
    """Jobs of one database, each attempt of which is run here and now."""

    def __init__(self, home: Path) -> None:
        self.settings = Settings(home=home)
        self.settings.make_directories()
        self.storage = Storage(self.settings.storage)
        self.database = Database(self.settings.database, pool_size=4)
        migrations.upgrade(self.database)

    def submit(self, spec: dict[str, Any], **retry: str) -> str:
        filled_in = admit(spec, _methods(), nobody).spec
        with self.database.write() as connection:
            return submit(connection, Submission(owner="admin", spec=filled_in, **retry))[0]

    def attempt(self, *, drain_at: int | None = None) -> int:
        """Claim the job that waits and run it; return the exit code."""
        with self.database.write() as connection:
            claimed = attempts.claim(
                connection, worker="w", host="h", device="cpu:0", devices=["cpu:0"], gpus=1
            )
        assert claimed is not None
        lease = claimed.lease
        one = Attempt(
            Assignment(
                job_id=lease.job_id,
                attempt=lease.attempt,
                spec=claimed.spec,
                resume_from=claimed.resume_from,
                device="cpu:0",
                uuid="",
                threads=1,
            ),
            self.settings,
            self.database,
        )
        assert isinstance(one.pulse, Pulse)
        if drain_at is not None:
            one.pulse.at_step = (drain_at, one.drain)
        code = None
        try:
            code = one.run()
        finally:
            if code != DONE:
                with self.database.write() as connection:
                    attempts.stop(connection, lease, "drained")
        return code

    def job(self, job_id: str) -> dict[str, Any]:
        with self.database.read() as connection:
            row = reading.get(connection, job_id)
        assert row is not None
        return row

    def checkpoints(self, job_id: str) -> list[dict[str, Any]]:
        with self.database.read() as connection:
            return reading.checkpoints(connection, job_id)

    def last(self, job_id: str) -> dict[str, Any]:
        return next(row for row in self.checkpoints(job_id) if row["kind"] == "last")


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Jobs]:
    monkeypatch.setattr(module, "Pulse", Pulse)
    handler = signal.getsignal(signal.SIGTERM)
    opened = Jobs(tmp_path)
    yield opened
    opened.database.close()
    signal.signal(signal.SIGTERM, handler)


def test_a_job_says_how_each_stage_ended(jobs: Jobs) -> None:
    job_id = jobs.submit(SPEC)
    assert jobs.attempt() == DONE
    assert jobs.job(job_id)["result"]["stages"] == ENDS


# In each stage after the first, and past the last step.
@pytest.mark.parametrize("steps", [[9], [13, 15], [20]])
def test_it_says_the_same_of_stages_that_an_earlier_attempt_finished(
    jobs: Jobs, steps: list[int]
) -> None:
    job_id = jobs.submit(SPEC)
    for step in steps:
        assert jobs.attempt(drain_at=step) == DRAINED
    assert jobs.attempt() == DONE
    assert jobs.job(job_id)["result"]["stages"] == ENDS


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
    assert jobs.attempt() == DONE
    assert jobs.job(job_id)["result"]["stages"] == ENDS
    assert jobs.last(job_id) == last


def test_the_last_checkpoint_has_the_weights_put_back_in_the_last_stage(jobs: Jobs) -> None:
    job_id = jobs.submit(SPEC)
    jobs.attempt()
    last = jobs.last(job_id)
    assert last["directory"].endswith("-restored")
    assert (last["stage"], last["step"]) == ("polish", 5 * STEPS_OF_AN_EPOCH)


def test_weights_put_back_in_an_earlier_stage_ask_for_no_further_checkpoint(jobs: Jobs) -> None:
    tuning = {"weights": None, "stages": STAGES[:2]}
    job_id = jobs.submit({**SPEC, "fine_tuning": tuning})
    jobs.attempt()
    last = jobs.last(job_id)
    assert not last["directory"].endswith("-restored")
    assert (last["stage"], last["step"]) == ("fine_tune", 3 * STEPS_OF_AN_EPOCH)


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
        last = jobs.last(origin)["id"]
        spec = {**SPEC, "checkpoints": [{"monitor": "train_loss", "mode": "min"}]}
        job_id = jobs.submit(spec, retry_of=origin, resume_from=last)
        assert jobs.attempt() == DONE
        return job_id

    def test_each_checkpoint_is_what_it_was(self, jobs: Jobs, origin: str, retried: str) -> None:
        def kept(job_id: str) -> dict[tuple[str, str | None, int], str]:
            return {
                (row["kind"], row["monitor"], row["step"]): row["sha256"]
                for row in jobs.checkpoints(job_id)
                if row["kind"] != "previous"
            }

        assert kept(retried) == kept(origin)
        assert len({row["sha256"] for row in jobs.checkpoints(origin) if row["step"] == 20}) == 2
        for row in jobs.checkpoints(retried):
            path = jobs.storage.path(row["directory"]) / "weights.safetensors"
            assert sha256_of_file(path) == row["sha256"], (row["kind"], row["step"])

    def test_its_figures_start_as_they_were(self, jobs: Jobs, origin: str, retried: str) -> None:
        before, after = jobs.job(origin), jobs.job(retried)
        assert after["metrics"] == before["metrics"]
        own = {row["id"] for row in jobs.checkpoints(retried)}
        assert set(after["best"]) == {"train_loss"}
        best = after["best"]["train_loss"]
        assert best["checkpoint"] in own
        assert best["value"] == before["best"]["train_loss"]["value"]
