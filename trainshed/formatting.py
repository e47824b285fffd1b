"""Values formatted for people."""

from datetime import datetime, timedelta
from math import ceil
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


def time_range(p50: str | None, p90: str | None, now: datetime) -> str:
    """Return a predicted time as a range from now: `in 5-20 min`, `in about 3 h`, `now`.

    Args:
        p50: of the service (RFC 3339); None if it is unknown.
        p90: in the same way; None if there is no upper limit.
        now: to which the range is relative.
    """
    if p50 is None:
        return "unknown"
    low = max(0.0, (datetime.fromisoformat(p50) - now).total_seconds())
    if p90 is None:
        return f"in {duration(timedelta(seconds=low))} or later"
    return seconds_range(low, max(low, (datetime.fromisoformat(p90) - now).total_seconds()))


def seconds_range(low: float, high: float) -> str:
    """Return a range of seconds from now in the unit of its end, rounded outwards."""
    if high < 1:
        return "now"
    units = (("d", 86_400), ("h", 3_600), ("min", 60))
    unit, size = next((each for each in units if high >= 2 * each[1]), ("s", 1))
    first, last = int(low // size), ceil(high / size)
    return f"in about {last} {unit}" if last - first <= 1 else f"in {first}–{last} {unit}"
