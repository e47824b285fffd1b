from typing import Any

import pytest

from tests.fakes.clock import Clock
from worker.runner import progress
from worker.runner.progress import Progress
from worker.training.reports import Stepped


def _unused() -> Any:
    raise AssertionError("progress takes no snapshot")


def _stepped(step: int, *, steps: int = 100, images: int = 32) -> Stepped:
    return Stepped(
        step=step,
        epoch=1,
        stage="main",
        epochs=2,
        steps=steps,
        images=images,
        ends_epoch=False,
        values=(),
        snapshot=_unused,
    )


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_progress_contains_the_position_of_the_step(clock: Clock) -> None:
    measured = Progress()
    clock.now += 0.5

    shown = measured.update(_stepped(25))

    assert (shown["step"], shown["steps"], shown["fraction"]) == (25, 100, 0.25)
    assert (shown["stage"], shown["epoch"], shown["epochs"]) == ("main", 1, 2)


def test_a_steady_rate_gives_the_exact_rate_and_remaining_time(clock: Clock) -> None:
    measured = Progress()
    for step in range(1, 51):
        clock.now += 0.1
        shown = measured.update(_stepped(step))

    assert shown["images_per_second"] == pytest.approx(320, rel=0.01)
    assert shown["eta_seconds"] == pytest.approx(5, rel=0.01)


def test_the_rate_follows_a_training_that_slows_down(clock: Clock) -> None:
    measured = Progress()
    for step in range(1, 51):
        clock.now += 0.1
        measured.update(_stepped(step))
    for step in range(51, 71):
        clock.now += 1.0
        shown = measured.update(_stepped(step))

    assert shown["images_per_second"] == pytest.approx(32, rel=0.05)


def test_no_time_remains_after_the_last_step(clock: Clock) -> None:
    measured = Progress()
    clock.now += 1

    shown = measured.update(_stepped(100))

    assert (shown["fraction"], shown["eta_seconds"]) == (1.0, 0.0)


def test_a_step_without_measurable_duration_has_a_rate(clock: Clock) -> None:
    shown = Progress().update(_stepped(1))

    assert shown["images_per_second"] > 0


def test_time_before_the_training_does_not_lower_the_rate(clock: Clock) -> None:
    measured = Progress()
    clock.now += 60  # the data set is downloaded

    measured.restart_clock()
    clock.now += 0.1
    shown = measured.update(_stepped(1))

    assert shown["images_per_second"] == pytest.approx(320)
    assert shown["eta_seconds"] == pytest.approx(9.9, rel=0.01)
