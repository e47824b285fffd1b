"""Time as the service stores and prints it: UTC, to the microsecond."""

from datetime import UTC, datetime


def now() -> datetime:
    """The time, aware and in UTC."""
    return datetime.now(UTC)


def rfc3339(at: datetime | None) -> str | None:
    """`at` as people and scripts read it, to the millisecond, or None."""
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
