"""Waiting jobs as the plan reads them: the first of each owner at once, further jobs by pages.

The index `ix_jobs_waiting_of_owner` holds each owner's jobs in the owner's own order, so that what
is read grows with the number of owners, not with the number of jobs.
"""

from collections import Counter, deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from math import inf
from typing import Any

import sqlalchemy as sa

from shared.jobs.planning.box import HIGH, LOW, WaitingJob
from shared.jobs.planning.plan import MAX_CANDIDATES
from shared.jobs.rows import JobRow
from shared.states import PRIORITY_NAMES

#: How many jobs of how many owners are read at once when their first jobs are used up. The pages
#: of an owner double, and each begins with an equal share of what a whole plan looks at.
PAGE, MAX_PAGE, OWNERS_OF_PAGE = 2, 320, 40

#: Since when a job waits, in seconds: since it was submitted or resumed, or its last attempt ended.
#: What is not a time counts as 0.
_SINCE = {
    "sqlite": """max(
      coalesce(unixepoch(j.created_at, 'subsec'), 0),
      coalesce(unixepoch(j.eligible_at, 'subsec'), 0),
      coalesce(CASE WHEN j.attempt > 0 THEN (
        SELECT max(unixepoch(a.ended_at, 'subsec')) FROM attempts a WHERE a.job_id = j.id
      ) END, 0)
    )""",
    "postgresql": """date_part('epoch', greatest(
      j.created_at, j.eligible_at,
      CASE WHEN j.attempt > 0 THEN (
        SELECT max(a.ended_at) FROM attempts a WHERE a.job_id = j.id
      ) END
    ))""",
}
#: The time of the attempts of a job that waits again; one of several devices is charged for each.
_USED = """CASE WHEN j.attempt > 0 AND j.gpus > 0 THEN (
  SELECT sum(a.device_seconds) FROM attempts a WHERE a.job_id = j.id
) / j.gpus END"""
#: On which model it continues, once it has a checkpoint to continue from.
_PLACEMENT = """CASE WHEN j.placement IS NOT NULL AND EXISTS (
  SELECT 1 FROM checkpoints c WHERE c.job_id = j.id AND c.kind IN ('last', 'previous')
) THEN j.placement END"""
_LAST_START = {
    "sqlite": "unixepoch(u.last_start_at, 'subsec')",
    "postgresql": "date_part('epoch', u.last_start_at)",
}
_GREATEST = {"sqlite": "max", "postgresql": "greatest"}
_ORDERED = {"sqlite": "id", "postgresql": 'id COLLATE "C"'}
#: By which SQLite uses the index of waiting jobs; it would read all that wait.
_HINT = "INDEXED BY ix_jobs_waiting_of_owner"
#: Literals, not parameters: otherwise the partial index is not used.
_WAITS = "j.state = 'queued' AND j.id NOT IN (SELECT job_id FROM quarantine)"


#: The columns from which a waiting job is read.
_PLANNED = (
    "id",
    "owner",
    "priority",
    "gpus",
    "memory_mib",
    "seconds_p50",
    "seconds_p90",
    "cost_kind",
)
_READ = (*_PLANNED, "created_at", "eligible_at", "attempt", "placement", "allow_inexact")


def _columns(dialect: str) -> str:
    names = ", ".join(f"j.{name}" for name in _PLANNED)
    return (
        f"{names}, {_SINCE[dialect]} AS since, {_USED} AS used_seconds, {_PLACEMENT} AS placement, "
        "j.allow_inexact"
    )


def _heads(dialect: str) -> str:
    """Return the query for the first job of each owner: one seek in the index for an owner."""
    columns = ", ".join(f"j.{name}" for name in _READ)
    order = "ORDER BY j.owner, j.priority DESC, j.id LIMIT 1"
    if dialect == "postgresql":
        first = f"(SELECT {columns} FROM jobs j WHERE {_WAITS} {order})"  # noqa: S608
        following = f"""
        SELECT n.* FROM j heads, LATERAL (
          SELECT {columns} FROM jobs j WHERE {_WAITS} AND j.owner > heads.owner {order}
        ) n"""  # noqa: S608
    else:  # which has no lateral join
        seek = f"SELECT j.id FROM jobs j {_HINT} WHERE {_WAITS}"  # noqa: S608
        first = f"SELECT {columns} FROM jobs j WHERE j.id = ({seek} {order})"  # noqa: S608
        following = f"""
        SELECT {columns} FROM j heads JOIN jobs j
          ON j.id = ({seek} AND j.owner > heads.owner {order})"""  # noqa: S608
    return f"""
    WITH RECURSIVE j AS ({first} UNION ALL {following})
    SELECT {_columns(dialect)} FROM j
    """  # noqa: S608 - only constants are inserted


def _first_heads(dialect: str) -> str:
    """Return the query for the first of these jobs in the order of `planning.order`.

    It leaves out what running jobs change: owners who have some are read in any case.
    """
    used = "CASE WHEN u.usage >= 0 AND u.usage < 1e308 THEN u.usage ELSE 0 END"
    weight = "CASE WHEN u.weight > 0 AND u.weight < 1e308 THEN u.weight ELSE 1 END"
    served = f"{_GREATEST[dialect]}(h.since, coalesce({_LAST_START[dialect]}, h.since))"
    return f"""
    SELECT o.*, CASE
        WHEN served < :overdue_before THEN 0
        WHEN priority = {HIGH} THEN 1 WHEN priority = {LOW} THEN 3 ELSE 2
      END AS rank, CASE WHEN served < :overdue_before THEN served ELSE used END AS value
    FROM (
      SELECT h.*, {served} AS served, {used} / {weight} AS used
      FROM ({_heads(dialect)}) h LEFT JOIN users u ON u.name = h.owner
    ) o ORDER BY rank, value, {_ORDERED[dialect]} LIMIT :first
    """  # noqa: S608 - only constants are inserted


_HEADS = {dialect: sa.text(_heads(dialect)) for dialect in _SINCE}
_FIRST_HEADS = {dialect: sa.text(_first_heads(dialect)) for dialect in _SINCE}
_COUNTS = sa.text(
    "SELECT owner, priority, count(*) FROM jobs WHERE state = 'queued' GROUP BY owner, priority"
)


@dataclass(frozen=True, slots=True)
class FirstOwners:
    """Which owners are read: the owners whose first jobs are next in the order, and some others."""

    count: int
    others: Collection[str]
    #: An owner who was not served since this time is overdue, in seconds.
    overdue_before: float


class Lines:
    """The waiting jobs of each owner, read within one transaction.

    Args:
        connection: for reading; the lines are read while it is open.
        first: which owners are read; None for all.
    """

    def __init__(self, connection: sa.Connection, *, first: FirstOwners | None = None) -> None:
        self._connection = connection
        #: The rank, the value and the id at which the owners begin that are not read: at an
        #: overdue rank the value is the time since which the owner waits, else used time.
        self.unread_from: tuple[int, float, str] | None = None
        dialect = connection.dialect.name
        if first is None:
            rows = connection.execute(_HEADS[dialect]).all()
        else:
            values = {"first": first.count, "overdue_before": first.overdue_before}
            rows = connection.execute(_FIRST_HEADS[dialect], values).all()
            if len(rows) == first.count:
                self.unread_from = (rows[-1].rank, rows[-1].value, rows[-1].id)
        share = 0 if first is not None else MAX_CANDIDATES // max(1, len(rows))
        self._first_page = max(PAGE, share)
        heads = [waiting_job(row) for row in rows]
        self._read: dict[str, deque[WaitingJob]] = {job.owner: deque([job]) for job in heads}
        #: How many jobs of each owner have been read; none for an owner whose line is at its end.
        self._counts: dict[str, int | None] = dict.fromkeys(self._read, 1)
        for owner in first.others if first is not None else ():
            if owner not in self._read:
                self._read[owner], self._counts[owner] = deque(), 0

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
        limits = [min(MAX_PAGE, max(self._first_page, offset)) for offset in offsets]
        for row in _read_pages(self._connection, names, limits, offsets):
            job = waiting_job(row)
            self._read[job.owner].append(job)
        for name, limit, offset in zip(names, limits, offsets, strict=True):
            found = len(self._read[name])
            self._counts[name] = offset + found if found == limit else None


def _read_pages(
    connection: sa.Connection, names: Sequence[str], limits: Sequence[int], offsets: Sequence[int]
) -> Sequence[sa.Row[Any]]:
    """Return the next jobs of several owners."""
    if connection.dialect.name == "postgresql":
        values = {"names": list(names), "limits": list(limits), "offsets": list(offsets)}
        return connection.execute(_PAGES, values).all()
    values = {}
    for number, of_owner in enumerate(zip(names, limits, offsets, strict=True)):
        keys = (f"owner{number}", f"limit{number}", f"offset{number}")
        values |= dict(zip(keys, of_owner, strict=True))
    return connection.execute(_union_of_pages(len(names)), values).all()


def _page(owner: str, limit: str, offset: str, dialect: str) -> str:
    """Return the query for the next jobs of an owner; the values are names or parameters."""
    line = f"FROM jobs j WHERE {_WAITS} AND j.owner = {owner}"
    page = f"ORDER BY j.priority DESC, j.id LIMIT {limit} OFFSET {offset}"
    return f"SELECT {_columns(dialect)} {line} {page}"


_PAGES = sa.text(f"""
    SELECT page.* FROM unnest(
      CAST(:names AS text[]), CAST(:limits AS integer[]), CAST(:offsets AS integer[])
    ) AS o (owner, length, skipped),
    LATERAL ({_page("o.owner", "o.length", "o.skipped", "postgresql")}) page
""")  # noqa: S608 - only constants are inserted


@cache
def _union_of_pages(owners: int) -> sa.TextClause:
    """Return the query for the pages of so many owners in SQLite, which has no lateral join."""
    pages = (
        _page(f":owner{number}", f":limit{number}", f":offset{number}", "sqlite")
        for number in range(owners)
    )
    return sa.text(" UNION ALL ".join(f"SELECT * FROM ({page})" for page in pages))  # noqa: S608


def count_by_owner(connection: sa.Connection) -> dict[str, Counter[int]]:
    """Return how many jobs of each owner wait, by priority."""
    found: dict[str, Counter[int]] = {}
    for owner, priority, count in connection.execute(_COUNTS):
        found.setdefault(owner, Counter())[priority if type(priority) is int else 0] += count
    return found


def waiting_job(row: Sequence[Any]) -> WaitingJob:
    """Return a row, with the columns of `_columns`, as the plan reads it.

    A damaged value counts as its default: the job is planned, and the claim quarantines it.
    """
    job_id, owner, priority, gpus, memory_mib, p50, p90, kind, since, used = row[:10]
    placement, allow_inexact = row[10:12]
    p50 = _left(p50, used)
    return WaitingJob(
        job_id,
        owner,
        priority if priority in PRIORITY_NAMES else 0,
        _positive(since, 0.0),
        gpus if isinstance(gpus, int) and gpus > 0 else 1,
        _positive(memory_mib, 0.0),
        p50,
        # Of an unknown kind only the time limit is known, as p90.
        max(p50, _left(p90, used)) if p50 < inf else _left(p90, used),
        kind=kind if isinstance(kind, str) else job_id,
        placement=placement if isinstance(placement, str) else "",
        allow_inexact=bool(allow_inexact),
    )


def is_as_planned(job: WaitingJob, row: JobRow) -> bool:
    """Return whether a readable row still has the values that the job was planned with."""
    values = (row.priority, max(row.gpus, 1), _positive(row.memory_mib, 0.0))
    return values == (job.priority, job.gpus, job.memory_mib)


def _left(seconds: Any, used: Any) -> float:
    """Return what is left of a predicted time; a job that is over it has a tenth left."""
    seconds = _positive(seconds, inf)
    return max(seconds - _positive(used, 0.0), 0.1 * seconds)


def _positive(value: Any, default: float) -> float:
    """Return a positive finite number, or the default for any other value."""
    is_number = isinstance(value, float | int)
    return float(value) if is_number and 0 < value < inf else default
