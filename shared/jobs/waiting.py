"""Waiting jobs as the plan reads them: the first of each owner at once, further jobs by pages.

The index `ix_jobs_waiting_of_owner` holds each owner's jobs in the owner's own order, so that what
is read grows with the number of owners, not with the number of jobs.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime
from math import inf
from typing import Any

import sqlalchemy as sa

from shared import tables
from shared.jobs.planning.box import WaitingJob
from shared.jobs.rows import JobRow
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


def _heads(hint: str) -> sa.TextualSelect:
    """Return the query for the first job of each owner: two seeks in the index for an owner.

    Args:
        hint: by which SQLite uses the index of waiting jobs; it would read all that wait.
    """
    waiting = f"SELECT min(owner) FROM jobs {hint} WHERE state = 'queued'"  # noqa: S608
    text = f"""
    WITH RECURSIVE owners(name) AS (
      SELECT ({waiting}) UNION ALL
      SELECT ({waiting} AND owner > owners.name) FROM owners WHERE owners.name IS NOT NULL
    )
    SELECT {_COLUMNS} FROM owners JOIN jobs ON jobs.id = (
      SELECT j.id FROM jobs j WHERE {_WAITS} AND j.owner = owners.name
      ORDER BY j.priority DESC, j.id LIMIT 1
    )
    """  # noqa: S608 - only constants are inserted
    return sa.text(text).columns(**_TYPES)


_HEADS = {
    "sqlite": _heads("INDEXED BY ix_jobs_waiting_of_owner"),
    "postgresql": _heads(""),
}
_COUNTS = sa.text("SELECT owner, count(*) FROM jobs WHERE state = 'queued' GROUP BY owner")


class Lines:
    """The waiting jobs of each owner, read within one transaction.

    Args:
        connection: for reading; the lines are read while it is open.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        heads = [waiting_job(row) for row in connection.execute(_HEADS[connection.dialect.name])]
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


def waiting_job(row: Sequence[Any]) -> WaitingJob:
    """Return a row, with the columns of `_COLUMNS`, as the plan reads it.

    A damaged value counts as its default: the job is planned, and the claim quarantines it.
    """
    job_id, owner, priority, gpus, memory_mib, p50, p90, *times = row
    # Of a job that waits again: since its last attempt ended, or since it was resumed.
    since = [at for at in times if isinstance(at, datetime)]
    p50 = _positive(p50, inf)
    return WaitingJob(
        job_id,
        owner,
        priority if priority in PRIORITY_NAMES else 0,
        max(since).timestamp() if since else 0.0,
        gpus if isinstance(gpus, int) and gpus > 0 else 1,
        _positive(memory_mib, 0.0),
        p50,
        max(p50, _positive(p90, inf)),
    )


def is_as_planned(job: WaitingJob, row: JobRow) -> bool:
    """Return whether a readable row still has the values that the job was planned with."""
    values = (row.priority, max(row.gpus, 1), _positive(row.memory_mib, 0.0))
    return values == (job.priority, job.gpus, job.memory_mib)


def _positive(value: Any, default: float) -> float:
    """Return a positive finite number, or the default for any other value."""
    is_number = isinstance(value, float | int)
    return float(value) if is_number and 0 < value < inf else default
