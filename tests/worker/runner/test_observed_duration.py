"""Which time counts as the duration of a value, by a clock that the test moves."""

from itertools import pairwise

import pytest

from tests.fakes.clock import Clock
from worker.runner import observed_duration
from worker.runner.observed_duration import MAX_GAP_SECONDS, ObservedDuration


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(observed_duration, "time", clock)
    return clock


def _durations(
    clock: Clock, *observations: tuple[float, object], max_gap_seconds: float = MAX_GAP_SECONDS
) -> list[float]:
    """Return the duration after each observation, given as the second and the value."""
    observed, durations = ObservedDuration(max_gap_seconds), []
    for at, value in observations:
        clock.now = 1000.0 + at
        durations.append(observed.observe(value))
    return durations


def test_observations_of_the_same_value_add_up(clock: Clock) -> None:
    assert _durations(clock, (0, "a"), (1, "a"), (3.5, "a")) == [0, 1, 3.5]


def test_another_value_starts_from_zero(clock: Clock) -> None:
    observations = [(0, "a"), (1, "a"), (2, "b"), (3, "b"), (4, "a")]
    assert _durations(clock, *observations) == [0, 1, 0, 1, 0]


def test_none_has_no_duration(clock: Clock) -> None:
    assert _durations(clock, (0, "a"), (1, None), (2, None), (3, "a")) == [0, 0, 0, 0]


@pytest.mark.parametrize("max_gap_seconds", [MAX_GAP_SECONDS, 4.0])
def test_a_gap_of_an_hour_counts_as_the_longest_gap(clock: Clock, max_gap_seconds: float) -> None:
    observations = [(0, "a"), (1, "a"), (3600, "a"), (3601, "a")]
    durations = _durations(clock, *observations, max_gap_seconds=max_gap_seconds)
    assert [later - before for before, later in pairwise(durations)] == [1, max_gap_seconds, 1]
