"""How far, how fast, how long."""

from typing import Any

import pytest

from tests.worker.clocks import Clock
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
        snapshot=_unused,
    )


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_it_says_where_the_training_is(clock: Clock) -> None:
    told = Progress()
    clock.now += 0.5

    shown = told.after(_stepped(25))

    assert (shown["step"], shown["steps"], shown["fraction"]) == (25, 100, 0.25)
    assert (shown["stage"], shown["epoch"], shown["epochs"]) == ("main", 1, 2)


def test_a_steady_rate_is_told_as_it_is_and_so_is_the_time_left(clock: Clock) -> None:
    told = Progress()
    for step in range(1, 51):
        clock.now += 0.1
        shown = told.after(_stepped(step))

    assert shown["images_per_second"] == pytest.approx(320, rel=0.01)
    assert shown["eta_seconds"] == pytest.approx(5, rel=0.01)


def test_the_rate_follows_a_training_that_slows_down(clock: Clock) -> None:
    told = Progress()
    for step in range(1, 51):
        clock.now += 0.1
        told.after(_stepped(step))
    for step in range(51, 71):
        clock.now += 1.0
        shown = told.after(_stepped(step))

    assert shown["images_per_second"] == pytest.approx(32, rel=0.05)


def test_the_last_step_leaves_no_time(clock: Clock) -> None:
    told = Progress()
    clock.now += 1

    shown = told.after(_stepped(100))

    assert (shown["fraction"], shown["eta_seconds"]) == (1.0, 0.0)


def test_a_clock_that_stands_still_is_no_division_by_zero(clock: Clock) -> None:
    shown = Progress().after(_stepped(1))

    assert shown["images_per_second"] > 0


def test_what_came_before_the_training_is_no_part_of_its_rate(clock: Clock) -> None:
    told = Progress()
    clock.now += 60  # the data set is fetched

    told.begin()
    clock.now += 0.1
    shown = told.after(_stepped(1))

    assert shown["images_per_second"] == pytest.approx(320)
    assert shown["eta_seconds"] == pytest.approx(9.9, rel=0.01)
