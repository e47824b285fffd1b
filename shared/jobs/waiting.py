"""Waiting jobs as the plan reads them: the first of each owner at once, further jobs by pages.

The index `ix_jobs_waiting_of_owner` holds each owner's jobs in the owner's own order, so that what
is read grows with the number of owners, not with the number of jobs.
"""

from collections import deque
from collections.abc import Iterator
from datetime import datetime
from math import inf, isfinite
from typing import Any

import sqlalchemy as sa

from shared import tables
from shared.jobs.planning.box import WaitingJob
from shared.states import PRIORITY_NAMES

#: How many jobs of how many owners are read at once when their first jobs are used up.
PAGE, MAX_PAGE, OWNERS_OF_PAGE = 10, 320, 40

_COLUMNS = (
    "jobs.id, jobs.owner, jobs.priority, jobs.gpus, jobs.memory_mib, jobs.seconds_p50, "
    "jobs.seconds_p90, jobs.eligible_at, jobs.created_at, "
    "(SELECT max(a.ended_at) FROM attempts a WHERE a.job_id = jobs.id) AS ended_at"
)
_TYPES = dict.fromkeys(("eligible_at", "created_at", "ended_at"), tables.UtcTime)
#: Literals, not parameters: otherwise the partial index is not used.
_WAITS = "j.state = 'queued' AND j.id NOT IN (SELECT job_id FROM quarantine)"

#: Each owner by a seek in the index, then the owner's first job by another.
_HEADS = sa.text(
    f"""
    WITH RECURSIVE owners(name) AS (
      SELECT (SELECT min(owner) FROM jobs WHERE state = 'queued')
      UNION ALL
      SELECT (SELECT min(owner) FROM jobs WHERE state = 'queued' AND owner > owners.name)
      FROM owners WHERE owners.name IS NOT NULL
    )
    SELECT {_COLUMNS} FROM owners JOIN jobs ON jobs.id = (
      SELECT j.id FROM jobs j WHERE {_WAITS} AND j.owner = owners.name
      ORDER BY j.priority DESC, j.id LIMIT 1
    )
    """  # noqa: S608 - only constants are inserted
).columns(**_TYPES)
_COUNTS = sa.text("SELECT owner, count(*) FROM jobs WHERE state = 'queued' GROUP BY owner")


class Lines:
    """The waiting jobs of each owner, read within one transaction.

    Args:
        connection: for reading; the lines are read while it is open.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        heads = [waiting_job(row) for row in connection.execute(_HEADS)]
        self._read: dict[str, deque[WaitingJob]] = {job.owner: deque([job]) for job in heads}
        #: How many jobs of each owner have been read; none for an owner whose line is at its end.
        self._counts: dict[str, int | None] = dict.fromkeys(self._read, 1)

    @property
    def owners(self) -> list[str]:
        """The owners who have waiting jobs."""
        return list(self._read)

    def by_owner(self) -> dict[str, Iterator[WaitingJob]]:
        """Return each owner's jobs in the owner's own order."""
        return {owner: self._line(owner) for owner in self._read}

    def _line(self, owner: str) -> Iterator[WaitingJob]:
        jobs = self._read[owner]
        while True:
            while jobs:
                yield jobs.popleft()
            if self._counts[owner] is None:
                return
            self._read_further(owner)

    def _read_further(self, owner: str) -> None:
        """Read the next jobs of the owner, and of others whose jobs are used up as well."""
        others = [
            name
            for name, jobs in self._read.items()
            if name != owner and not jobs and self._counts[name] is not None
        ]
        names = [owner, *others[: OWNERS_OF_PAGE - 1]]
        offsets = [self._counts[name] or 0 for name in names]
        limits = [min(MAX_PAGE, max(PAGE, offset)) for offset in offsets]
        query = " UNION ALL ".join(_page(number) for number in range(len(names)))
        parameters: dict[str, Any] = {}
        for number, values in enumerate(zip(names, limits, offsets, strict=True)):
            keys = (f"owner{number}", f"limit{number}", f"offset{number}")
            parameters |= dict(zip(keys, values, strict=True))
        for row in self._connection.execute(sa.text(query).columns(**_TYPES), parameters):
            job = waiting_job(row)
            self._read[job.owner].append(job)
        for name, limit, offset in zip(names, limits, offsets, strict=True):
            found = len(self._read[name])
            self._counts[name] = offset + found if found == limit else None


def _page(number: int) -> str:
    """Return the query for the next jobs of an owner, of which only numbers are inserted."""
    columns = _COLUMNS.replace("jobs.", "j.")
    line = f"FROM jobs j WHERE {_WAITS} AND j.owner = :owner{number}"
    page = f"ORDER BY j.priority DESC, j.id LIMIT :limit{number} OFFSET :offset{number}"
    return f"SELECT * FROM (SELECT {columns} {line} {page}) page{number}"  # noqa: S608


def count_by_owner(connection: sa.Connection) -> dict[str, int]:
    """Return how many jobs of each owner wait."""
    return {row[0]: row[1] for row in connection.execute(_COUNTS)}


def waiting_job(row: Any) -> WaitingJob:
    """Return a row as the plan reads it.

    A damaged value counts as its default: the job is planned, and the claim quarantines it.
    """
    times = (row.eligible_at, row.created_at, row.ended_at)
    known = [at.timestamp() for at in times if isinstance(at, datetime)]
    p50 = _positive(row.seconds_p50, inf)
    priority, gpus, memory_mib = values_of(row)
    return WaitingJob(
        id=row.id,
        owner=row.owner,
        priority=priority,
        # Of a job that waits again: since its last attempt ended, or since it was resumed.
        eligible_at=max(known, default=0.0),
        gpus=gpus,
        memory_mib=memory_mib,
        seconds_p50=p50,
        seconds_p90=max(p50, _positive(row.seconds_p90, inf)),
    )


def values_of(row: Any) -> tuple[int, int, float]:
    """Return the priority, devices and memory of a row, by which a claim compares it."""
    priority = row.priority if row.priority in PRIORITY_NAMES else 0
    gpus = row.gpus if isinstance(row.gpus, int) and row.gpus > 0 else 1
    return priority, gpus, _positive(row.memory_mib, 0.0)


def _positive(value: Any, default: float) -> float:
    is_valid = isinstance(value, float | int) and isfinite(value) and value > 0
    return float(value) if is_valid else default
