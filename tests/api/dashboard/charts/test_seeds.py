"""The mean and the band of repetitions."""

import math
import statistics

import pytest

from api.dashboard.charts.seeds import groups, mean_line, spread


def test_two_values_have_a_band_between_them() -> None:
    found = spread([1.0, 4.0])
    assert (found.mean, found.low, found.high) == (2.5, 1.0, 4.0)


def test_three_values_have_a_band_of_a_standard_deviation() -> None:
    values = [1.0, 2.0, 6.0]
    found = spread(values)
    deviation = statistics.stdev(values)
    assert found.mean == pytest.approx(3.0)
    assert (found.low, found.high) == pytest.approx((3.0 - deviation, 3.0 + deviation))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_has_no_mean(value: float) -> None:
    assert math.isnan(spread([1.0, value]).mean)


def test_jobs_that_differ_in_their_seed_alone_are_a_group() -> None:
    differences = [
        {"pointer": "/seed", "values": {"a": 1, "b": 2, "c": 3, "d": 1}},
        {"pointer": "/optimizer/learning_rate", "values": {"a": 0.1, "b": 0.1, "c": 0.2, "d": 0.2}},
        {"pointer": "/notes", "values": {"d": None}},  # a missing field is not null
    ]
    assert groups(["a", "b", "c", "d"], differences) == [["a", "b"]]


def test_the_mean_ends_where_the_first_line_ends() -> None:
    found = mean_line([[(1, 1.0), (2, 2.0), (3, 3.0)], [(1, 3.0), (2, 4.0)]])
    assert [(epoch, each.mean) for epoch, each in found] == [(1, 2.0), (2, 3.0)]


def test_a_thinned_line_has_the_value_between_its_points() -> None:
    found = mean_line([[(1, 1.0), (2, 5.0), (3, 3.0)], [(1, 1.0), (3, 3.0)]])
    assert [(epoch, each.mean) for epoch, each in found] == [(1, 1.0), (2, 3.5), (3, 3.0)]


def test_a_job_without_the_metric_has_no_mean() -> None:
    assert mean_line([[(1, 1.0)], []]) == []
