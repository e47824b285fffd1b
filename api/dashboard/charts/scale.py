"""The scale of an axis: from values to positions, with round numbers as its ticks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

#: The steps between ticks, as multiples of a power of ten.
STEPS = (1, 2, 2.5, 5, 10)
#: A scale of equal values is this part of the value wide.
WIDTH_OF_NOTHING = 0.1
#: Differences below this part of the values are rounding errors.
SMALLEST_WIDTH = 1e-9
#: Numbers beyond have no place in a chart.
LARGEST, SMALLEST_POSITIVE = 1e300, 1e-300


@dataclass(frozen=True)
class Scale:
    """A linear or logarithmic scale from `low` to `high`."""

    low: float
    high: float
    ticks: tuple[float, ...]
    is_log: bool = False

    def fraction(self, value: float) -> float | None:
        """Return where a value lies, from 0 at `low` to 1 at `high`; None if it has no place."""
        if not has_place(value, is_log=self.is_log):
            return None
        if self.is_log:
            low, high = math.log10(self.low), math.log10(self.high)
            return (math.log10(value) - low) / (high - low)
        return (value - self.low) / (self.high - self.low)


def has_place(value: float, *, is_log: bool = False) -> bool:
    """Return whether a value can be shown: finite, and positive on a logarithmic scale."""
    return abs(value) < LARGEST and (not is_log or value > SMALLEST_POSITIVE)


def linear(values: Sequence[float], *, count: int = 4) -> Scale:
    """Return a scale that contains all finite values, with about `count` steps."""
    finite = list(filter(has_place, values)) or [0.0, 1.0]
    low, high = min(finite), max(finite)
    largest = max(abs(low), abs(high))
    if high - low <= SMALLEST_WIDTH * largest:
        spread = largest * WIDTH_OF_NOTHING or 1.0
        low, high = low - spread, high + spread
    step = _round_step((high - low) / count)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = tuple(float(f"{number * step:.12g}") for number in range(first, last + 1))
    return Scale(ticks[0], ticks[-1], ticks)


def logarithmic(values: Sequence[float], *, count: int = 4) -> Scale:
    """Return a scale from a power of ten to another that contains all positive finite values."""
    positive = [value for value in values if has_place(value, is_log=True)] or [1.0]
    low = math.floor(math.log10(min(positive)))
    high = max(low + 1, math.ceil(math.log10(max(positive))))
    step = max(1, math.ceil((high - low) / count))
    ticks = tuple(10.0**power for power in range(low, high + 1, step))
    return Scale(10.0**low, 10.0**high, ticks, is_log=True)


def of_epochs(last: int, *, first: int = 0, count: int = 6) -> Scale:
    """Return the scale of the epochs, whose ticks are whole numbers."""
    last = max(first + 1, last)
    step = max(1, round(_round_step((last - first) / count)))
    return Scale(first, last, tuple(range(-(-first // step) * step, last + 1, step)))


def _round_step(step: float) -> float:
    power = 10.0 ** math.floor(math.log10(step))
    return power * min(each for each in STEPS if each * power >= step * (1 - 1e-9))
