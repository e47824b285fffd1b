"""The time in UTC, as it is stored and shown. The hosts of a box follow the clock of its database.

Times of different hosts are compared, such as the time at which a worker was last seen. So each
process measures how far its clock is from the clock of PostgreSQL and corrects every time by that.
"""

from datetime import UTC, datetime, timedelta

#: A difference up to this is left: a correction would cost the order of times more than it gives.
TOLERATED = timedelta(seconds=0.5)

_correction = timedelta(0)


def now() -> datetime:
    """Return the time as an aware datetime in UTC."""
    return local_now() + _correction


def local_now() -> datetime:
    """Return the time of this host's clock, without correction."""
    return datetime.now(UTC)


def follow(reported: datetime, *, asked_at: datetime, answered_at: datetime) -> timedelta:
    """Correct this process's clock by another clock, if they differ; return the correction.

    Args:
        reported: the time of the other clock.
        asked_at: this host's time before the other clock was read.
        answered_at: this host's time after it.
    """
    global _correction  # noqa: PLW0603 - a process has one clock
    measured = reported - (asked_at + (answered_at - asked_at) / 2)
    # What the answer took is how wrong the measurement may be
    if abs(measured - _correction) > TOLERATED + (answered_at - asked_at) / 2:
        _correction = measured
    return _correction


def rfc3339(at: datetime | None) -> str | None:
    """Return a time as text to the millisecond (RFC 3339); None for None."""
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
