"""A thinned series still shows its best epoch, its spikes and its gaps."""

import math
import random
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.jobs.history.thinning import thin

VALUES = st.floats(allow_infinity=True, allow_nan=True)


@dataclass(frozen=True, eq=False)
class Point:
    step: int
    value: float


def _points(values: list[float]) -> list[Point]:
    return [Point(step, value) for step, value in enumerate(values)]


def test_best_epoch_and_every_spike_of_a_long_series_are_kept() -> None:
    draw = random.Random(0)
    values = [1 / (1 + step / 1000) + draw.gauss(0, 0.01) for step in range(100_000)]
    spikes = draw.sample(range(100_000), 12)
    for step in spikes:
        values[step] += 5
    values[54_321] = -1.0
    kept = [*thin(_points(values), len(values), 1000)]
    assert len(kept) <= 1000
    assert {54_321, 0, 99_999, *spikes} <= {point.step for point in kept}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_is_kept(value: float) -> None:
    values = [float(step) for step in range(1000)]
    values[345] = values[346] = value
    kept = {point.step for point in thin(_points(values), 1000, 20)}
    assert 345 in kept
    assert 346 not in kept


@given(
    values=st.lists(VALUES, min_size=1, max_size=200),
    about=st.integers(2, 50),
    is_count_wrong=st.booleans(),
)
def test_thinned_points_are_some_of_the_points_in_their_order(
    values: list[float], about: int, is_count_wrong: bool
) -> None:
    points = _points(values)
    # Rows may be deleted or recorded while the series is read
    count = len(points) + 7 * is_count_wrong
    steps = [point.step for point in thin(points, count, about)]
    assert steps == sorted(set(steps))
    assert (steps[0], steps[-1]) == (0, len(points) - 1)
    if count <= about:
        assert len(steps) == len(points)
    parts = max(1, (about - 2) // 2)
    finite = [value for value in values if math.isfinite(value)]
    assert len(steps) <= 2 + 3 * parts or count <= about
    if finite:
        kept = [values[step] for step in steps]
        assert {min(finite), max(finite)} <= {value for value in kept if math.isfinite(value)}


@pytest.mark.parametrize("about", [2, 3, 100, None])
def test_nothing_is_kept_of_nothing(about: int | None) -> None:
    assert [*thin([], 0, about)] == []
    assert [*thin([], 300, about)] == [], "deleted since"
