"""When a training stands still, and what only looks like it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from worker.assignment import ExitCode
from worker.runner import observed_duration, watchdog
from worker.runner.watchdog import LAST_SECONDS, LEAST_SECONDS, USUAL_STEPS, Watchdog
from worker.training.reports import EpochEnded, Report, StageEnded, StageStarted, Stepped

LOOK_SECONDS = 0.5


class Ended(BaseException):
    """The process would have ended."""


def _unused() -> Any:
    raise AssertionError("no snapshot is taken")


def _started() -> StageStarted:
    return StageStarted(0, 0, "main", epochs=9, trainable_parameters=1, is_resumed=False)


def _stepped(*, ends_epoch: bool = False) -> Stepped:
    return Stepped(
        1, 1, "main", epochs=9, steps=9, images=1, ends_epoch=ends_epoch, snapshot=_unused
    )


def _epoch_ended() -> EpochEnded:
    return EpochEnded(
        1,
        1,
        "main",
        metrics={},
        improved=(),
        checkpoint_keys=(),
        notes=(),
        snapshot=_unused,
    )


class Box:
    """A training and a pulse that share one clock."""

    def __init__(self) -> None:
        self.stillness = Watchdog()
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def goes_by(self, seconds: float) -> None:
        """Time passes, and the pulse looks twice a second."""
        for _ in range(round(seconds / LOOK_SECONDS)):
            self.now += LOOK_SECONDS
            self.stillness.look()

    def train(self, training: Iterator[Report], *, holds: float = 0.0) -> None:
        """Take the reports, and be busy with each for so long."""
        for _ in self.stillness.watch(training):
            self.goes_by(holds)


@pytest.fixture
def box(monkeypatch: pytest.MonkeyPatch) -> Box:
    def end(code: int) -> None:
        assert code == ExitCode.STALLED
        raise Ended

    box = Box()
    monkeypatch.setattr(observed_duration, "time", box)
    monkeypatch.setattr(watchdog, "time", box)
    monkeypatch.setattr(watchdog.os, "_exit", end)
    return box


def _steps(box: Box, *seconds: float) -> Iterator[Report]:
    for one in seconds:
        box.goes_by(one)
        yield _stepped()


class TestAStepThatDoesNotEnd:
    def _until(self, box: Box, seconds: float, *, usual: float = 1.0) -> Iterator[Report]:
        yield _started()
        yield from _steps(box, 5 * usual, usual, usual)
        box.goes_by(seconds)
        yield _stepped()

    def test_is_given_time(self, box: Box, capfd: pytest.CaptureFixture[str]) -> None:
        box.train(self._until(box, LEAST_SECONDS - 1))
        assert "most recent call first" not in capfd.readouterr().err

    def test_has_its_stacks_in_the_log(self, box: Box, capfd: pytest.CaptureFixture[str]) -> None:
        box.train(self._until(box, LEAST_SECONDS + LAST_SECONDS - 1))
        said = capfd.readouterr().err
        assert said.count("most recent call first") == said.count("Thread 0x") + said.count(
            "Current thread 0x"
        )
        assert said.count("Current thread 0x") == 1, "they are there once"
        assert "in goes_by" in said

    def test_ends_the_process_a_little_later(self, box: Box) -> None:
        with pytest.raises(Ended):
            box.train(self._until(box, LEAST_SECONDS + LAST_SECONDS + 1))
        assert box.now < 1000 + 7 + LEAST_SECONDS + LAST_SECONDS + 2

    def test_is_given_as_long_as_many_usual_ones(
        self, box: Box, capfd: pytest.CaptureFixture[str]
    ) -> None:
        usual = 2 * LEAST_SECONDS / USUAL_STEPS
        box.train(self._until(box, 2 * LEAST_SECONDS - 1, usual=usual))
        assert "Current thread" not in capfd.readouterr().err
        box.train(self._until(box, 2 * LEAST_SECONDS + 1, usual=usual))
        assert "Current thread" in capfd.readouterr().err

    def test_is_noticed_in_the_first_step_of_an_epoch_too(self, box: Box) -> None:
        def training() -> Iterator[Report]:
            yield _started()
            yield from _steps(box, 1)
            yield _stepped(ends_epoch=True)
            yield _epoch_ended()
            box.goes_by(LEAST_SECONDS + LAST_SECONDS + 1)

        with pytest.raises(Ended):
            box.train(training())

    def test_may_end_after_all_and_the_next_is_judged_anew(
        self, box: Box, capfd: pytest.CaptureFixture[str]
    ) -> None:
        def training() -> Iterator[Report]:
            yield _started()
            yield from _steps(box, 1, 1, LEAST_SECONDS + 1, LEAST_SECONDS + LAST_SECONDS - 1, 1)

        box.train(training())
        assert capfd.readouterr().err.count("Current thread") == 2


LONG = 10 * LEAST_SECONDS


def _loading(box: Box) -> Iterator[Report]:
    box.goes_by(LONG)
    yield _started()


def _first_step_of_a_stage(box: Box) -> Iterator[Report]:
    """It may be slower than the last stage's ones, and nobody knows by how much."""
    yield _started()
    yield from _steps(box, 1, 1, 1)
    yield StageEnded(1, 1, "main", reason="epochs", restored=False)
    box.goes_by(LONG)
    yield _started()
    yield from _steps(box, LONG, LONG)


def _validation(box: Box) -> Iterator[Report]:
    yield _started()
    yield from _steps(box, 1, 1)
    yield _stepped(ends_epoch=True)
    box.goes_by(LONG)
    yield _epoch_ended()
    yield from _steps(box, 1)


@pytest.mark.parametrize("training", [_loading, _first_step_of_a_stage, _validation])
def test_what_is_no_step_may_take_as_long_as_it_likes(
    box: Box, capfd: pytest.CaptureFixture[str], training: Callable[[Box], Iterator[Report]]
) -> None:
    box.train(training(box))
    box.goes_by(LONG)  # what comes after the training, such as its evaluation
    assert "Current thread" not in capfd.readouterr().err


def test_a_report_may_wait_for_the_database_as_long_as_it_likes(
    box: Box, capfd: pytest.CaptureFixture[str]
) -> None:
    box.train(iter([_started(), _stepped(), _stepped(), _stepped(ends_epoch=True)]), holds=LONG)
    assert "Current thread" not in capfd.readouterr().err


def test_a_training_that_failed_in_a_step_may_take_long_to_say_so(
    box: Box, capfd: pytest.CaptureFixture[str]
) -> None:
    def training() -> Iterator[Report]:
        yield _started()
        yield from _steps(box, 1, 1)
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        box.train(training())
    box.goes_by(LONG)
    assert "Current thread" not in capfd.readouterr().err


def test_a_process_that_was_stopped_for_a_day_is_not_taken_for_still(
    box: Box, capfd: pytest.CaptureFixture[str]
) -> None:
    def training() -> Iterator[Report]:
        yield _started()
        yield from _steps(box, 1, 1)
        box.goes_by(1)
        box.now += 86_400
        box.goes_by(1)
        yield _stepped()

    box.train(training())
    assert "Current thread" not in capfd.readouterr().err
