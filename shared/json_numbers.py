"""Numbers in JSON: a value that is not finite is written as a string."""

import math


def json_number(value: float | None) -> float | str | None:
    """Return the value itself, or "nan", "inf", "-inf"."""
    if value is None or math.isfinite(value):
        return value
    return "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")
