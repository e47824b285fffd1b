"""The account of the watch: measured first, then counted in epochs, and kept by a resumed run."""

from dataclasses import dataclass

import pytest

from worker.runner.diagnosis import budget as budget_module
from worker.runner.diagnosis.budget import FLOOR_SECONDS, KEPT, SHARE, Budget

EPOCH, RULES, READING = 10.0, 0.01, 0.3


@dataclass
class Clock:
    """The CPU time of the training's thread, which the test lets pass."""

    seconds: float = 100.0

    def thread_time(self) -> float:
        return self.seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(budget_module, "time", clock)
    return clock


def _train(budget: Budget, clock: Clock, epochs: int, *, speed: float = 1.0) -> list[bool]:
    """Train epochs; return after which of them the network was read."""
    read: list[bool] = []
    for _ in range(epochs):
        clock.seconds += EPOCH / speed
        with budget.measured():
            budget.end_epoch()
            read.append(budget.allows_reading)
            if read[-1]:
                with budget.reading():
                    clock.seconds += READING / speed
            clock.seconds += RULES / speed
    return read


def test_readings_are_thinned_to_the_share_of_the_run(clock: Clock) -> None:
    budget = Budget()
    read = _train(budget, clock, 200)
    assert 0.9 * (1 - KEPT) * SHARE < budget.spent_seconds / (200 * EPOCH) <= SHARE
    assert sum(read) < 200
    assert any(read[-3:]), "readings are spread over the run"


def test_schedule_does_not_depend_on_the_clock_after_the_second_epoch(clock: Clock) -> None:
    steady = Budget()
    first = _train(steady, clock, 2)
    changing = Budget()
    assert _train(changing, clock, 2) == first
    expected = _train(steady, clock, 60)
    found = [_train(changing, clock, 1, speed=speed)[0] for speed in (0.1, 1.0, 30.0) * 20]
    assert found == expected
    assert 0 < sum(expected) < len(expected)
    assert steady.left_seconds == pytest.approx(changing.left_seconds)


@pytest.mark.parametrize("stops", [[4], [4, 5, 6, 30]])
def test_resumed_run_keeps_the_schedule(clock: Clock, stops: list[int]) -> None:
    expected = _train(Budget(), clock, 60)
    budget, found, begin = Budget(), list[bool](), 0
    for end in [*stops, 60]:
        found += _train(budget, clock, end - begin)
        begin, stored = end, budget.as_json()
        clock.seconds += 1000.0
        budget = Budget()
        budget.restore(stored)
    assert found == expected


def test_attempts_share_what_a_short_run_may_take(clock: Clock) -> None:
    stored, read = None, 0
    for _ in range(10):
        budget = Budget()
        budget.restore(stored)
        clock.seconds += 0.1
        with budget.measured():
            if budget.allows_reading:
                read += 1
                with budget.reading():
                    clock.seconds += FLOOR_SECONDS / 5
        stored = budget.as_json()
    assert read == 3


def test_trials_count_neither_for_the_watch_nor_for_the_run(clock: Clock) -> None:
    budget = Budget()
    with budget.measured(), budget.excluded():
        clock.seconds += 10_000.0
    assert budget.spent_seconds == pytest.approx(0)
    assert budget.left_seconds == pytest.approx(FLOOR_SECONDS)


def test_another_stage_is_measured_again(clock: Clock) -> None:
    budget = Budget()
    _train(budget, clock, 3)
    assert not budget.is_measured
    budget.start_stage()
    _train(budget, clock, 1, speed=0.1)
    assert budget.is_measured
    _train(budget, clock, 1, speed=0.1)
    assert budget.account.epoch_seconds == pytest.approx(10 * (EPOCH + RULES + READING), rel=0.01)
