"""Figures as people read them."""

from typing import Any


def percent(value: Any) -> str:
    """A fraction as people read it."""
    return f"{100 * value:.2f} %" if isinstance(value, (int, float)) else str(value)


def figure(value: Any) -> str:
    """A figure in four places; a small one in three digits, so that it does not read as 0."""
    if not isinstance(value, float):
        return str(value)
    if value == 0:
        return "0"
    if abs(value) < 0.01 or abs(value) >= 1e6:
        return f"{value:.3g}"
    places = 4 if abs(value) < 100 else 1
    return f"{value:,.{places}f}"


def size(count: int) -> str:
    """Bytes as people read them."""
    if count < 2**10:
        return f"{count} B"
    return f"{count / 2**10:.1f} KiB" if count < 2**20 else f"{count / 2**20:.1f} MiB"


def moment(at: str) -> str:
    """A time of the service, which is UTC, to the second."""
    return at[:19].replace("T", " ")
