"""Numbers in JSON: a value that is not finite is written as a string."""

import math
from typing import Any


def json_number(value: float | None) -> float | str | None:
    """Return the value itself, or "nan", "inf", "-inf"."""
    if value is None or math.isfinite(value):
        return value
    return "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")


def json_numbers(value: Any) -> Any:
    """Return a JSON value in which numbers that are not finite are written as strings."""
    if isinstance(value, dict):
        return {name: json_numbers(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [json_numbers(part) for part in value]
    return json_number(value) if isinstance(value, float) else value
