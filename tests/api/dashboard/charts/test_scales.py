"""The axes and lines of charts."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.dashboard.charts.line_chart import Best, Line, Subject, draw, sparkline
from api.dashboard.charts.scale import has_place, linear, logarithmic, of_epochs

ANY = st.floats(allow_nan=True, allow_infinity=True)


@given(st.lists(ANY, max_size=20))
def test_a_scale_contains_every_finite_value_and_few_ticks(values: list[float]) -> None:
    scale = linear(values)
    for value in filter(has_place, values):
        place = scale.fraction(value)
        assert place is not None
        assert -1e-6 <= place <= 1 + 1e-6
    assert 2 <= len(scale.ticks) <= 8


@pytest.mark.parametrize(
    ("values", "ticks"),
    [([0.12, 0.87], (0, 0.2, 0.4, 0.6, 0.8, 1.0)), ([3.0, 3.0], (2.6, 2.8, 3.0, 3.2, 3.4))],
)
def test_ticks_are_round_numbers(values: list[float], ticks: tuple[float, ...]) -> None:
    assert linear(values).ticks == pytest.approx(ticks)


def test_a_logarithmic_scale_leaves_out_what_is_not_positive() -> None:
    scale = logarithmic([0.0, -1.0, 0.003, 2.0])
    assert (scale.low, scale.high) == (0.001, 10)
    assert scale.fraction(0.0) is None
    assert scale.fraction(0.1) == pytest.approx(0.5)


def test_epochs_have_whole_ticks() -> None:
    assert of_epochs(24).ticks == (0, 5, 10, 15, 20)
    assert of_epochs(1).ticks == (0, 1)
    part = of_epochs(131, first=97)
    assert (part.low, part.high, part.ticks) == (97, 131, (100, 110, 120, 130))
    assert of_epochs(5, first=9).ticks == (9, 10)


@given(st.lists(ANY, max_size=30), st.booleans())
def test_any_values_can_be_drawn(values: list[float], is_log: bool) -> None:
    line = Line("val_loss", "validation", list(enumerate(values, start=1)))
    chart = draw("Loss", [line], Subject(last_epoch=30), is_log=is_log)
    drawn = str(chart.lines)
    assert "nan" not in drawn
    assert "inf" not in drawn
    without = [value for value in values if not has_place(value, is_log=is_log)]
    assert len(chart.marks) == len(without)
    sparkline(values)


def test_a_part_of_the_epochs_fills_the_chart_without_what_lies_outside() -> None:
    line = Line("a", "validation", [(40, 1.0), (50, 2.0)])
    subject = Subject(last_epoch=50, first_epoch=40, best_epoch=7)
    chart = draw("t", [line], subject, bests=[Best("best", 7, 0.5), Best("here", 45, 1.5)])
    assert chart.lines[0]["path"] == "M66.0,194.0L508.0,20.0"
    assert chart.best_x is None
    assert [ring["label"] for ring in chart.rings] == ["here"]
    assert chart.epochs == (40, 50)


def test_a_gap_is_not_bridged() -> None:
    line = Line("a", "validation", [(1, 1.0), (2, 2.0), (3, math.nan), (4, 2.0), (5, 1.0)])
    [drawn] = draw("t", [line], Subject(last_epoch=5)).lines
    assert str(drawn["path"]).count("M") == 2
