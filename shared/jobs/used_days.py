"""The device time of each person by day, for limits of a week: today and the six days before.

An interval counts for the day of its end. Intervals are charged every minute, so that at most a
minute counts for the wrong day.
"""

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Any

import sqlalchemy as sa

from shared import tables
from shared.clock import now

DAYS = 7
_ADD = sa.text(
    "INSERT INTO used_days (owner, day, device_seconds, high_device_seconds) "
    "VALUES (:owner, :day, :seconds, :high) ON CONFLICT (owner, day) DO UPDATE SET "
    "device_seconds = used_days.device_seconds + excluded.device_seconds, "
    "high_device_seconds = used_days.high_device_seconds + excluded.high_device_seconds"
)


@dataclass(frozen=True, slots=True)
class Week:
    """The device-seconds of a person in this week."""

    device_seconds: float = 0.0
    #: The part of it that jobs of high priority used.
    high_device_seconds: float = 0.0


def add(
    connection: sa.Connection, owner: str, at: datetime, seconds: float, *, is_high: bool
) -> None:
    """Add device-seconds to a day of a person; a negative number takes them back."""
    values = {"owner": owner, "day": _day(at), "seconds": seconds, "high": seconds * is_high}
    connection.execute(_ADD, values)


def read_week(connection: sa.Connection, owners: Collection[str] | None = None) -> dict[str, Week]:
    """Return what people used in this week; who used nothing is left out.

    Args:
        connection: for reading.
        owners: the people; None for all.
    """
    days = tables.used_days.c
    used, high = sa.func.sum(days.device_seconds), sa.func.sum(days.high_device_seconds)
    query = sa.select(days.owner, used, high).where(_is_this_week())
    if owners is not None:
        query = query.where(days.owner.in_(owners))
    rows = connection.execute(query.group_by(days.owner))
    return {row[0]: Week(_valid(row[1]), _valid(row[2])) for row in rows}


def frees_at(
    connection: sa.Connection, owner: str, *, excess_seconds: float, is_high: bool
) -> datetime | None:
    """Return when so many device-seconds of a person no longer count; None if never."""
    days = tables.used_days.c
    column = days.high_device_seconds if is_high else days.device_seconds
    query = sa.select(days.day, column).where(days.owner == owner, _is_this_week())
    for day, seconds in connection.execute(query.order_by(days.day)):
        excess_seconds -= _valid(seconds)
        if excess_seconds <= 0:
            with suppress(ValueError):  # a damaged day
                return datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(days=DAYS)
    return None


def _is_this_week() -> sa.ColumnElement[bool]:
    """Return the condition for days of this week; days to come are of a clock that was set back."""
    today = now()
    return tables.used_days.c.day.between(_day(today - timedelta(days=DAYS - 1)), _day(today))


def _day(at: datetime) -> str:
    return at.astimezone(UTC).date().isoformat()


def _valid(value: Any) -> float:
    is_valid = isinstance(value, float | int) and isfinite(value) and value > 0
    return float(value) if is_valid else 0.0
