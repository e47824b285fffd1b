"""Texts of a chart that have to differ: numbers at an axis, and letters at the ends of lines."""

from collections.abc import Sequence
from itertools import pairwise

from api.dashboard.formats import short

#: Significant digits of a tick.
FEWEST_DIGITS, MOST_DIGITS = 3, 8
#: A tick's text may be off by this part of the distance to the next tick.
TOLERANCE = 0.02
LETTER_HEIGHT = 11
#: Letters whose lines end farther apart than this stand next to each other.
LETTER_WIDTH = 12


def tick_texts(ticks: Sequence[float], *, is_fraction: bool = False) -> list[str]:
    """Return the texts of ticks, with as many digits as it takes to tell them apart.

    Args:
        ticks: in increasing order.
        is_fraction: whether they are shown in percent.
    """
    values = [100 * tick if is_fraction else tick for tick in ticks]
    step = min((b - a for a, b in pairwise(values)), default=1.0)
    texts = [short(value, FEWEST_DIGITS) for value in values]
    for digits in range(FEWEST_DIGITS, MOST_DIGITS + 1):
        texts = [short(value, digits) for value in values]
        errors = (
            abs(float(text.replace(",", "")) - value)
            for text, value in zip(texts, values, strict=True)
        )
        if max(errors, default=0.0) <= TOLERANCE * step:
            break
    return [f"{text} %" for text in texts] if is_fraction else texts


def letter_heights(ends: Sequence[tuple[float, float] | None], bottom: float) -> list[float]:
    """Return where the letter of each line stands, so that no letter covers another.

    Args:
        ends: the position of the end of each line; None for a line without points.
        bottom: the lowest position.
    """
    heights = [0.0 if end is None else end[1] + 4 for end in ends]
    drawn = [index for index, end in enumerate(ends) if end is not None]
    placed: list[int] = []
    for index in sorted(drawn, key=lambda each: heights[each]):
        for other in placed:
            is_near = abs(_x(ends[index]) - _x(ends[other])) < LETTER_WIDTH
            if is_near and heights[index] - heights[other] < LETTER_HEIGHT:
                heights[index] = heights[other] + LETTER_HEIGHT
        placed.append(index)
    for above, index in zip(placed[-2::-1], placed[:0:-1], strict=True):
        heights[index] = min(heights[index], bottom)
        is_near = abs(_x(ends[index]) - _x(ends[above])) < LETTER_WIDTH
        if is_near and heights[index] - heights[above] < LETTER_HEIGHT:
            heights[above] = heights[index] - LETTER_HEIGHT
    return [round(height, 1) for height in heights]


def _x(end: tuple[float, float] | None) -> float:
    return 0.0 if end is None else end[0]
