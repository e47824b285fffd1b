"""Values formatted for people."""

from datetime import timedelta
from typing import Any


def percent(value: Any) -> str:
    """Return a fraction in percent; other values as they are."""
    return f"{100 * value:.2f} %" if isinstance(value, (int, float)) else str(value)


def metric_value(name: str, value: Any) -> str:
    """Return the value of a metric: accuracies in percent, others as numbers."""
    return percent(value) if name.endswith("accuracy") else number(value)


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


def duration(time: timedelta) -> str:
    """Return a duration in its largest unit, rounded down; a negative duration is 0 s."""
    seconds = max(0, int(time.total_seconds()))
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
