"""What happened to a job, numbered in order."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from shared import tables
from shared.jobs.rows import EventRow


@dataclass(frozen=True)
class NewEvent:
    """An event to append. `step` is set for what a resumed attempt would repeat."""

    type: str
    data: dict[str, Any] = field(default_factory=dict)
    step: int | None = None

    def values(self, job_id: str, number: int, at: datetime) -> dict[str, Any]:
        """The row as the table takes it."""
        return {
            "job_id": job_id,
            "number": number,
            "type": self.type,
            "step": self.step,
            "at": at,
            "data": self.data,
        }


def append_events(connection: sa.Connection, job_id: str, at: datetime, *rows: NewEvent) -> None:
    """Number and store events; the caller's transaction holds the job's row."""
    if not rows:
        return
    last = connection.execute(
        sa.update(tables.jobs)
        .where(tables.jobs.c.id == job_id)
        .values(
            last_event=tables.jobs.c.last_event + len(rows), revision=tables.jobs.c.revision + 1
        )
        .returning(tables.jobs.c.last_event)
    ).scalar_one()
    first = last - len(rows) + 1
    values = [row.values(job_id, first + offset, at) for offset, row in enumerate(rows)]
    connection.execute(sa.insert(tables.events), values)


def list_events(
    connection: sa.Connection, job_id: str, *, after: int = 0, limit: int = 100
) -> list[EventRow]:
    """The events after number `after`, oldest first."""
    rows = connection.execute(
        sa.select(tables.events)
        .where(tables.events.c.job_id == job_id, tables.events.c.number > after)
        .order_by(tables.events.c.number)
        .limit(limit)
    )
    return EventRow.read_all(rows.mappings())
