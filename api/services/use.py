"""What people use of what is limited."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from shared import tables
from shared.jobs import used_days
from shared.states import FINAL

MIB = 2**20
COUNTED = ("running", "queued")


def count_jobs(connection: sa.Connection, names: Collection[str]) -> dict[tuple[str, str], int]:
    """Return how many jobs of each person run and wait, by name and state."""
    jobs = tables.jobs.c
    query = (
        sa.select(jobs.owner, jobs.state, sa.func.count())
        .where(jobs.owner.in_(names), jobs.state.in_(COUNTED))
        .group_by(jobs.owner, jobs.state)
    )
    return {(owner, state): count for owner, state, count in connection.execute(query)}


def stored_bytes(
    connection: sa.Connection, names: Collection[str], *, can_be_deleted: bool = False
) -> dict[str, int]:
    """Return the bytes of each person's checkpoints, results, data sets and weights.

    Args:
        connection: for reading.
        names: of the people.
        can_be_deleted: whether only files count that can be deleted: of jobs only if they
            have ended.
    """
    jobs, checkpoints = tables.jobs.c, tables.checkpoints.c
    # Checkpoints of several roles share a directory.
    stored = sa.select(checkpoints.job_id, checkpoints.directory, checkpoints.bytes).distinct()
    directories = stored.subquery()
    is_counted = jobs.state.in_(FINAL) if can_be_deleted else sa.true()
    of_jobs = [
        sa.select(jobs.owner, sa.func.sum(part.c.bytes))
        .select_from(tables.jobs.join(part, part.c.job_id == jobs.id))
        .where(jobs.owner.in_(names), is_counted)
        .group_by(jobs.owner)
        for part in (directories, tables.artifacts)
    ]
    uploads = [
        sa.select(table.c.owner, sa.func.sum(table.c.bytes))
        .where(table.c.owner.in_(names))
        .group_by(table.c.owner)
        for table in (tables.datasets, tables.weights)
    ]
    found = dict.fromkeys(names, 0)
    for query in (*of_jobs, *uploads):
        for owner, total in connection.execute(query):
            found[owner] += int(total or 0)
    return found


def use_json(connection: sa.Connection, names: Collection[str]) -> dict[str, dict[str, Any]]:
    """Return what each person uses now, as it is shown."""
    jobs, stored = count_jobs(connection, names), stored_bytes(connection, names)
    weeks = used_days.read_week(connection, names)
    found: dict[str, dict[str, Any]] = {}
    for name in names:
        week = weeks.get(name, used_days.Week())
        found[name] = {
            **{state: jobs.get((name, state), 0) for state in COUNTED},
            "device_seconds_week": round(week.device_seconds, 3),
            "high_device_seconds_week": round(week.high_device_seconds, 3),
            "storage_mib": round(stored[name] / MIB, 3),
        }
    return found
