"""Quarantine of jobs whose rows cannot be read: the queue passes them, and an event says why."""

from collections.abc import Mapping

import sqlalchemy as sa

from shared import tables
from shared.clock import now
from shared.jobs.events import NewEvent, append_events
from shared.jobs.rows import JobRow

_OF_HEARTBEAT = (
    sa.null().label("beat"),
    sa.null().label("progress"),
    sa.null().label("devices"),
    sa.null().label("heartbeat_at"),
)
#: A job without its heartbeat, of which a waiting job has no use.
select_job = sa.select(tables.jobs, *_OF_HEARTBEAT)


def add(connection: sa.Connection, job_id: str, faults: Mapping[str, str]) -> bool:
    """Quarantine a job; return False if it already is, or no longer exists.

    Args:
        connection: in a transaction that writes.
        job_id: of the job.
        faults: what is wrong with its row, by column.
    """
    marks, jobs = tables.quarantine.c, tables.jobs.c
    # The lock lets the second of two processes see the mark of the first.
    lock = sa.select(jobs.id).where(jobs.id == job_id).with_for_update()
    if connection.execute(lock).first() is None:
        return False
    if connection.execute(sa.select(marks.job_id).where(marks.job_id == job_id)).first():
        return False
    at = now()
    values = {"job_id": job_id, "faults": dict(faults), "at": at}
    connection.execute(sa.insert(tables.quarantine), values)
    append_events(connection, job_id, at, NewEvent("quarantined", {"faults": dict(faults)}))
    return True


def release_readable(connection: sa.Connection) -> list[str]:
    """Release the jobs whose rows can be read again; return their ids."""
    marks = tables.quarantine.c
    query = select_job.join(tables.quarantine, marks.job_id == tables.jobs.c.id)
    rows = connection.execute(query).mappings().all()
    released = [row["id"] for row in rows if not JobRow.faults(row)]
    for job_id in released:
        connection.execute(sa.delete(tables.quarantine).where(marks.job_id == job_id))
        append_events(connection, job_id, now(), NewEvent("released"))
    return released


def count(connection: sa.Connection) -> int:
    """Return how many jobs are quarantined."""
    query = sa.select(sa.func.count()).select_from(tables.quarantine)
    return connection.execute(query).scalar_one()


def is_not_quarantined() -> sa.ColumnElement[bool]:
    """Return the condition for the jobs that may start."""
    return tables.jobs.c.id.not_in(sa.select(tables.quarantine.c.job_id))
