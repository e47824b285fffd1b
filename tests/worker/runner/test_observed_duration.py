"""How long something lasts: what counts, and what does not."""

from itertools import pairwise

import pytest

from tests.worker.clocks import Clock
from worker.runner import observed_duration
from worker.runner.observed_duration import ObservedDuration


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(observed_duration, "time", clock)
    return clock


def _looks(clock: Clock, *finds: tuple[float, object]) -> list[float]:
    """What looks at these moments say that find these things."""
    looked, said = ObservedDuration(), []
    for at, what in finds:
        clock.now = 1000.0 + at
        said.append(looked.seconds(what))
    return said


def test_looks_that_find_the_same_add_up(clock: Clock) -> None:
    assert _looks(clock, (0, "a"), (1, "a"), (3.5, "a")) == [0, 1, 3.5]


def test_another_thing_starts_anew(clock: Clock) -> None:
    assert _looks(clock, (0, "a"), (1, "a"), (2, "b"), (3, "b"), (4, "a")) == [0, 1, 0, 1, 0]


def test_nothing_never_lasts(clock: Clock) -> None:
    assert _looks(clock, (0, "a"), (1, None), (2, None), (3, "a")) == [0, 0, 0, 0]


def test_a_process_that_was_stopped_for_an_hour_has_seen_next_to_none_of_it(clock: Clock) -> None:
    finds: list[tuple[float, object]] = [(0, "a"), (1, "a"), (3600, "a"), (3601, "a")]
    said = _looks(clock, *finds)
    assert [later - before for before, later in pairwise(said)] == [
        1,
        observed_duration.MOST_BETWEEN_LOOKS,
        1,
    ]
