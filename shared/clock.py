"""The time in UTC, as it is stored and shown."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the time as an aware datetime in UTC."""
    return datetime.now(UTC)


def rfc3339(at: datetime | None) -> str | None:
    """Return a time as text to the millisecond (RFC 3339); None for None."""
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
