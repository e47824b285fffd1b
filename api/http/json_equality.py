"""Equality of JSON values."""

from typing import Any


def are_equal(a: Any, b: Any) -> bool:
    """Return whether two JSON values are equal: 1 equals 1.0, and true does not equal 1."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(are_equal(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(are_equal(x, y) for x, y in zip(a, b, strict=True))
    return a == b
