"""The events of a job, numbered in order."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from shared import tables
from shared.jobs.rows import EventRow


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
    last = connection.execute(
        sa.update(tables.jobs)
        .where(tables.jobs.c.id == job_id)
        .values(
            last_event=tables.jobs.c.last_event + len(events), revision=tables.jobs.c.revision + 1
        )
        .returning(tables.jobs.c.last_event)
    ).scalar_one()
    first = last - len(events) + 1
    values = [event.values(job_id, first + index, at) for index, event in enumerate(events)]
    connection.execute(sa.insert(tables.events), values)


def list_events(
    connection: sa.Connection, job_id: str, *, after: int = 0, limit: int = 100
) -> list[EventRow]:
    """Return the events with a number greater than `after`, oldest first."""
    rows = connection.execute(
        sa.select(tables.events)
        .where(tables.events.c.job_id == job_id, tables.events.c.number > after)
        .order_by(tables.events.c.number)
        .limit(limit)
    )
    return EventRow.read_all(rows.mappings())
