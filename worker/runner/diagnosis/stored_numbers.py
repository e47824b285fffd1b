"""Numbers that are not finite in stored JSON, which databases refuse."""

import math
from typing import Any

#: The key of an object that stands for such a number.
KEY = "number"


def encoded(value: Any) -> Any:
    """Return a value with an object in the place of each number that is not finite."""
    if isinstance(value, float) and not math.isfinite(value):
        return {KEY: str(value)}
    if isinstance(value, dict):
        return {name: encoded(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [encoded(inner) for inner in value]
    return value


def decoded(value: Any) -> Any:
    """Return the value that `encoded` was given, with lists for tuples."""
    if isinstance(value, dict):
        if value.keys() == {KEY} and isinstance(value[KEY], str):
            return float(value[KEY])
        return {name: decoded(inner) for name, inner in value.items()}
    return [decoded(inner) for inner in value] if isinstance(value, list) else value
