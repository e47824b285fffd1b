"""Numbers in the sentences and captions of analyses."""

import math


def number(value: float, digits: int = 4) -> str:
    """Return a number with so many significant digits and a proper minus sign."""
    return f"{value:.{digits}g}".replace("-", "−")


def percent(share: float, digits: int = 1) -> str:
    """Return a share as a percentage, such as "12.5 %"."""
    return f"{100 * share:.{digits}f} %".replace("-", "−")


def count(amount: int, noun: str) -> str:
    """Return an amount with its noun, such as "1 sample" or "1,200 samples"."""
    return f"{amount:,} {noun}" if amount == 1 else f"{amount:,} {noun}s"


def ticks(low: float, high: float) -> list[float]:
    """Return round positive numbers for a logarithmic axis from `low` to `high`, at most some ten.

    Over few decades these are 1, 2 and 5 times powers of ten, over many the powers alone.
    """
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    decades = last - first
    steps = (1, 2, 5) if decades <= 3 else (1,)
    every = max(1, math.ceil(decades / 10))
    values = [step * 10.0**power for power in range(first, last + 1, every) for step in steps]
    return [value for value in values if low <= value <= high]
