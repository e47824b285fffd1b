"""The events of a job, numbered in order."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from shared import tables
from shared.jobs import unreadable_rows
from shared.jobs.counts import is_count, next_revision, usable
from shared.jobs.rows import EventRow

#: Of an event whose time cannot be read.
MISSING_TIME = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class NewEvent:
    """An event to append. `step` is set for events that a resumed attempt would repeat."""

    type: str
    data: dict[str, Any] = field(default_factory=dict)
    step: int | None = None

    def values(self, job_id: str, number: int, at: datetime) -> dict[str, Any]:
        """Return the columns of the row."""
        return {
            "job_id": job_id,
            "number": number,
            "type": self.type,
            "step": self.step,
            "at": at,
            "data": self.data,
        }


def append_events(connection: sa.Connection, job_id: str, at: datetime, *events: NewEvent) -> None:
    """Number and store events. The update locks the job's row until the end of the transaction."""
    if not events:
        return
    jobs, numbers = tables.jobs.c, tables.events.c.number
    newest = sa.select(sa.func.max(numbers)).where(
        tables.events.c.job_id == job_id, is_count(numbers)
    )
    newest = sa.func.coalesce(newest.scalar_subquery(), 0)
    last_event = usable(jobs.last_event)
    # The greater of both: a hand may have changed the number in the row.
    last_event = sa.case((last_event >= newest, last_event), else_=newest)
    last = connection.execute(
        sa.update(tables.jobs)
        .where(jobs.id == job_id)
        .values(last_event=last_event + len(events), revision=next_revision())
        .returning(jobs.last_event)
    ).scalar_one()
    first = last - len(events) + 1
    values = [event.values(job_id, first + index, at) for index, event in enumerate(events)]
    connection.execute(sa.insert(tables.events), values)


def list_events(
    connection: sa.Connection, job_id: str, *, after: int = 0, limit: int = 100
) -> list[EventRow]:
    """Return the events with a number greater than `after`, oldest first.

    An event that cannot be read keeps its number: it is of the type `unreadable`, without data.
    """
    rows = connection.execute(
        sa.select(tables.events)
        .where(tables.events.c.job_id == job_id, tables.events.c.number > after)
        .order_by(tables.events.c.number)
        .limit(limit)
    )
    return [event for row in rows.mappings() if (event := _read(row)) is not None]


def _read(columns: Mapping[Any, Any]) -> EventRow | None:
    faults = EventRow.faults(columns)
    if not faults:
        return EventRow.read(columns)
    unreadable_rows.note(EventRow.unreadable(columns, faults))
    if faults.keys() & {*EventRow.KEY}:
        return None
    at = MISSING_TIME if "at" in faults else columns["at"]
    values = {**columns, "type": "unreadable", "step": None, "at": at, "data": {}}
    return EventRow.read(values)
