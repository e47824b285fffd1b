"""Values formatted for people."""

from typing import Any


def percent(value: Any) -> str:
    """Return a fraction in percent; other values as they are."""
    return f"{100 * value:.2f} %" if isinstance(value, (int, float)) else str(value)


def number(value: Any) -> str:
    """Return a number with four decimals, or three digits where it would read as 0."""
    if not isinstance(value, float):
        return str(value)
    if value == 0:
        return "0"
    if abs(value) < 0.01 or abs(value) >= 1e6:
        return f"{value:.3g}"
    decimals = 4 if abs(value) < 100 else 1
    return f"{value:,.{decimals}f}"


def file_size(size_bytes: int) -> str:
    """Return a size in B, KiB or MiB."""
    if size_bytes < 2**10:
        return f"{size_bytes} B"
    if size_bytes < 2**20:
        return f"{size_bytes / 2**10:.1f} KiB"
    return f"{size_bytes / 2**20:.1f} MiB"


def timestamp(at: str) -> str:
    """Return a time of the service (RFC 3339, UTC) to the second."""
    return at[:19].replace("T", " ")
