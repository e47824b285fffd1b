"""The order in which waiting jobs start: between owners by rank, use and age.

Of each owner only the first job in line competes. After a job is taken, its owner's use grows by
what the job is predicted to take, so that a person's many jobs do not stand together.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import isfinite

from shared.jobs.planning.box import HIGH, UNKNOWN_SECONDS, Box, Owner, Rank, WaitingJob

#: In place of the rank of jobs whose owner may not start so many.
BEHIND_ALL = len(Rank)


@dataclass(frozen=True, slots=True)
class Place:
    """A job in the order."""

    job: WaitingJob
    rank: Rank
    #: Used time over the owner's weight, with the jobs of the owner that are ahead.
    usage: float
    #: Whether it is its owner's first job in line.
    is_head: bool
    #: By which it is ordered: the rank, the negative age or the usage, and the id.
    key: tuple[int, float, str]
    #: Whether its owner may not start so many jobs; such jobs stand behind all others.
    is_limited: bool = False
    #: How many jobs of its owner may run at the same time; None for any number.
    max_running: int | None = None


def in_order(box: Box) -> Iterator[Place]:
    """Yield the waiting jobs in the order in which they start."""
    busy_high = {job.owner for job in box.running if job.priority >= HIGH}
    committed = _committed(box)
    heap: list[tuple[tuple[int, float, str], _Line]] = []
    for name, jobs in box.lines.items():
        owner = box.owners.get(name) or Owner(name)
        if name in committed:
            owner = replace(owner, usage=owner.usage + committed[name])
        line = _Line(box, owner, jobs, name in busy_high)
        if (key := line.advance()) is not None:
            heap.append((key, line))
    heapq.heapify(heap)
    while heap:
        key, line = heap[0]
        yield line.take(key)
        key = line.advance()
        if key is None:
            heapq.heappop(heap)
        else:
            heapq.heapreplace(heap, (key, line))


def _committed(box: Box) -> dict[str, float]:
    """Return the device-seconds that each owner's running jobs are predicted to take yet.

    A job that starts therefore counts as much as it does in the order before it starts.
    """
    seconds: dict[str, float] = {}
    for job in box.running:
        left = job.ends_p50 - box.now if isfinite(job.ends_p50) else UNKNOWN_SECONDS
        seconds[job.owner] = seconds.get(job.owner, 0.0) + max(0.0, left) * len(job.devices)
    return seconds


class _Line:
    """The jobs of one owner while they are put in order."""

    __slots__ = (
        "_has_high",
        "_is_head",
        "_job",
        "_jobs",
        "_max_running",
        "_now",
        "_rank",
        "_served_at",
        "_startable",
        "_usage",
        "_wait",
        "_weight",
    )

    def __init__(self, box: Box, owner: Owner, jobs: Iterator[WaitingJob], has_high: bool) -> None:
        self._jobs = jobs
        self._now, self._wait = box.now, box.policy.overdue_seconds
        self._usage, self._weight = owner.usage, owner.weight
        self._served_at = owner.last_start_at
        self._has_high = has_high
        self._is_head = True
        self._job: WaitingJob | None = None
        self._rank = Rank.NORMAL
        self._startable, self._max_running = owner.startable, owner.max_running

    def advance(self) -> tuple[int, float, str] | None:
        """Go to the next job; return its key, or None at the end of the line."""
        self._job = job = next(self._jobs, None)
        if job is None:
            return None
        age = self._now - max(job.eligible_at, self._served_at)
        is_limited = self._startable == 0
        if age > self._wait and not is_limited:
            self._rank = Rank.OVERDUE
            return (Rank.OVERDUE, -age, str(job.id))
        self._rank = rank = Rank.of_priority(job.priority)
        # One job of high priority at a time; a second counts as normal.
        if rank is Rank.HIGH and self._has_high:
            self._rank = rank = Rank.NORMAL
        return (BEHIND_ALL if is_limited else rank, self._usage / self._weight, str(job.id))

    def take(self, key: tuple[int, float, str]) -> Place:
        """Return the place of the current job, and count it as started."""
        job = self._job
        assert job is not None
        place = Place(
            job,
            self._rank,
            self._usage / self._weight,
            self._is_head,
            key,
            is_limited=self._startable == 0,
            max_running=self._max_running,
        )
        if self._startable:
            self._startable -= 1
        seconds = job.seconds_p50 if isfinite(job.seconds_p50) else UNKNOWN_SECONDS
        self._usage += seconds * job.gpus
        self._served_at = self._now
        self._is_head = False
        self._has_high |= job.priority >= HIGH
        return place

    def __lt__(self, other: object) -> bool:
        """Never decide: the job's id in the key is unique."""
        return False
