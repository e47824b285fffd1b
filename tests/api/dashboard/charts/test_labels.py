"""Texts of charts that have to differ: ticks, and the letters of lines."""

import pytest

from api.dashboard.charts.labels import LETTER_HEIGHT, letter_heights, tick_texts


@pytest.mark.parametrize(
    ("ticks", "texts"),
    [
        ((0.0, 0.25, 0.5), ["0", "0.25", "0.5"]),
        ((9.5e-7, 1e-6, 1.05e-6), ["9.50e-7", "1.00e-6", "1.05e-6"]),
        ((3.925, 3.95, 3.975), ["3.925", "3.95", "3.975"]),
        ((0.01325, 0.0135, 0.01375), ["0.01325", "0.0135", "0.01375"]),
        ((1000.0, 2000.0), ["1,000", "2,000"]),
        ((1e-3, 1e-1, 10.0), ["0.001", "0.1", "10"]),
        ((1.0,), ["1"]),
        ((), []),
    ],
)
def test_ticks_have_as_many_digits_as_tell_them_apart(
    ticks: tuple[float, ...], texts: list[str]
) -> None:
    assert tick_texts(ticks) == texts


def test_ticks_of_fractions_are_percentages() -> None:
    assert tick_texts((0.096, 0.09625, 0.0965), is_fraction=True) == ["9.6 %", "9.625 %", "9.65 %"]


def test_letters_at_the_same_end_stand_below_each_other() -> None:
    assert letter_heights([(500, 50), None, (500, 52), (300, 51)], 200) == [54, 0, 65, 55]


def test_letters_at_the_bottom_are_pushed_up() -> None:
    heights = letter_heights([(500, 195), (500, 195), (500, 190)], 194)
    assert max(heights) == 194
    assert sorted(heights) == [194 - 2 * LETTER_HEIGHT, 194 - LETTER_HEIGHT, 194]
