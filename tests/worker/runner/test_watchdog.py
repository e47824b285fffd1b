import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from worker.assignment import ExitCode
from worker.runner import observed_duration, watchdog
from worker.runner.watchdog import GRACE_SECONDS, MIN_STALL_SECONDS, STALL_FACTOR, Watchdog
from worker.training.reports import EpochEnded, Report, StageEnded, StageStarted, Stepped
from worker.training.stage_end import StageEnd

CHECK_SECONDS = 0.5


class ProcessEnded(BaseException):
    """The process would have ended."""


def _unused() -> Any:
    raise AssertionError("no snapshot is taken")


def _started() -> StageStarted:
    return StageStarted(0, 0, "main", epochs=9, trainable_parameters=1, is_resumed=False)


def _stepped(*, ends_epoch: bool = False) -> Stepped:
    return Stepped(
        1,
        1,
        "main",
        epochs=9,
        steps=9,
        images=1,
        ends_epoch=ends_epoch,
        values=(),
        snapshot=_unused,
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
        values=(),
        snapshot=_unused,
    )


class WatchedTraining:
    """A training and its watchdog, which share a clock."""

    def __init__(self) -> None:
        self.watchdog = Watchdog()
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def pass_time(self, seconds: float) -> None:
        """Advance the clock, with a check every half second."""
        for _ in range(round(seconds / CHECK_SECONDS)):
            self.now += CHECK_SECONDS
            self.watchdog.check()

    def run(self, reports: Iterator[Report], *, handling_seconds: float = 0.0) -> None:
        """Handle each report in this time."""
        for _ in self.watchdog.watch(reports):
            self.pass_time(handling_seconds)


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> WatchedTraining:
    # The log shows at most 100 threads, and readers of earlier tests end when they are collected
    gc.collect()

    def end(code: int) -> None:
        assert code == ExitCode.STALLED
        raise ProcessEnded

    training = WatchedTraining()
    monkeypatch.setattr(observed_duration, "time", training)
    monkeypatch.setattr(watchdog, "time", training)
    monkeypatch.setattr(watchdog.os, "_exit", end)
    return training


def _steps(training: WatchedTraining, *seconds: float) -> Iterator[Report]:
    for duration in seconds:
        training.pass_time(duration)
        yield _stepped()


class TestAStalledStep:
    def _reports(
        self, training: WatchedTraining, seconds: float, *, usual: float = 1.0
    ) -> Iterator[Report]:
        yield _started()
        yield from _steps(training, 5 * usual, usual, usual)
        training.pass_time(seconds)
        yield _stepped()

    def test_has_time_to_end(
        self, training: WatchedTraining, capfd: pytest.CaptureFixture[str]
    ) -> None:
        training.run(self._reports(training, MIN_STALL_SECONDS - 1))
        assert "most recent call first" not in capfd.readouterr().err

    def test_is_logged_once_with_all_stacks(
        self, training: WatchedTraining, capfd: pytest.CaptureFixture[str]
    ) -> None:
        training.run(self._reports(training, MIN_STALL_SECONDS + GRACE_SECONDS - 1))
        log = capfd.readouterr().err
        stacks = log.count("Thread 0x") + log.count("Current thread 0x")
        assert log.count("most recent call first") == stacks
        assert log.count("Current thread 0x") == 1
        assert "in pass_time" in log

    def test_ends_the_process_after_a_grace_period(self, training: WatchedTraining) -> None:
        with pytest.raises(ProcessEnded):
            training.run(self._reports(training, MIN_STALL_SECONDS + GRACE_SECONDS + 1))
        assert training.now < 1000 + 7 + MIN_STALL_SECONDS + GRACE_SECONDS + 2

    def test_may_take_many_times_the_usual_duration(
        self, training: WatchedTraining, capfd: pytest.CaptureFixture[str]
    ) -> None:
        usual = 2 * MIN_STALL_SECONDS / STALL_FACTOR
        training.run(self._reports(training, 2 * MIN_STALL_SECONDS - 1, usual=usual))
        assert "Current thread" not in capfd.readouterr().err
        training.run(self._reports(training, 2 * MIN_STALL_SECONDS + 1, usual=usual))
        assert "Current thread" in capfd.readouterr().err

    def test_is_noticed_in_the_first_step_of_an_epoch_too(self, training: WatchedTraining) -> None:
        def reports() -> Iterator[Report]:
            yield _started()
            yield from _steps(training, 1)
            yield _stepped(ends_epoch=True)
            yield _epoch_ended()
            training.pass_time(MIN_STALL_SECONDS + GRACE_SECONDS + 1)

        with pytest.raises(ProcessEnded):
            training.run(reports())

    def test_may_still_end_and_the_next_step_is_judged_separately(
        self, training: WatchedTraining, capfd: pytest.CaptureFixture[str]
    ) -> None:
        def reports() -> Iterator[Report]:
            yield _started()
            yield from _steps(
                training, 1, 1, MIN_STALL_SECONDS + 1, MIN_STALL_SECONDS + GRACE_SECONDS - 1, 1
            )

        training.run(reports())
        assert capfd.readouterr().err.count("Current thread") == 2


LONG_SECONDS = 10 * MIN_STALL_SECONDS


def _loading(training: WatchedTraining) -> Iterator[Report]:
    training.pass_time(LONG_SECONDS)
    yield _started()


def _first_step_of_a_stage(training: WatchedTraining) -> Iterator[Report]:
    """It may be slower than the steps of the stage before, and how much is unknown."""
    yield _started()
    yield from _steps(training, 1, 1, 1)
    end = StageEnd(stage="main", reason="epochs", epoch=1, stage_epochs=1, planned_epochs=1)
    yield StageEnded(1, 1, "main", end=end)
    training.pass_time(LONG_SECONDS)
    yield _started()
    yield from _steps(training, LONG_SECONDS, LONG_SECONDS)


def _validation(training: WatchedTraining) -> Iterator[Report]:
    yield _started()
    yield from _steps(training, 1, 1)
    yield _stepped(ends_epoch=True)
    training.pass_time(LONG_SECONDS)
    yield _epoch_ended()
    yield from _steps(training, 1)


@pytest.mark.parametrize("reports", [_loading, _first_step_of_a_stage, _validation])
def test_only_steps_are_watched(
    training: WatchedTraining,
    capfd: pytest.CaptureFixture[str],
    reports: Callable[[WatchedTraining], Iterator[Report]],
) -> None:
    training.run(reports(training))
    training.pass_time(LONG_SECONDS)  # evaluation, for example
    assert "Current thread" not in capfd.readouterr().err


def test_handling_a_report_may_take_any_time(
    training: WatchedTraining, capfd: pytest.CaptureFixture[str]
) -> None:
    training.run(
        iter([_started(), _stepped(), _stepped(), _stepped(ends_epoch=True)]),
        handling_seconds=LONG_SECONDS,
    )
    assert "Current thread" not in capfd.readouterr().err


def test_recording_the_failure_of_a_step_may_take_any_time(
    training: WatchedTraining, capfd: pytest.CaptureFixture[str]
) -> None:
    def reports() -> Iterator[Report]:
        yield _started()
        yield from _steps(training, 1, 1)
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        training.run(reports())
    training.pass_time(LONG_SECONDS)
    assert "Current thread" not in capfd.readouterr().err


def test_a_process_that_was_suspended_for_a_day_is_not_stalled(
    training: WatchedTraining, capfd: pytest.CaptureFixture[str]
) -> None:
    def reports() -> Iterator[Report]:
        yield _started()
        yield from _steps(training, 1, 1)
        training.pass_time(1)
        training.now += 86_400
        training.pass_time(1)
        yield _stepped()

    training.run(reports())
    assert "Current thread" not in capfd.readouterr().err
