"""The queue as the plan orders it, read about once a second for all requests.

A long queue takes long to read. It is read again in the background while requests need it, so that
none of them waits.
"""

import threading
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import floor, isfinite
from statistics import fmean

import sqlalchemy as sa

from shared import tables
from shared.database import Database
from shared.errors import Unavailable
from shared.ids import new_id
from shared.jobs.planning.box import UNKNOWN_SECONDS, Box, Policy, WaitingJob, own_order
from shared.jobs.planning.forecast import Start, forecast
from shared.jobs.planning.order import in_order
from shared.jobs.planning.plan import MAX_CANDIDATES, Plan, plan
from shared.jobs.quarantine import is_not_quarantined
from shared.jobs.read_box import read_box
from shared.jobs.waiting import count_by_owner

MAX_AGE_SECONDS = 1.0
#: Of a long queue, which a thread reads every `MAX_AGE_SECONDS` until no request has needed it for
#: `IDLE_SECONDS`.
MAX_AGE_OF_LONG_SECONDS, IDLE_SECONDS = 2.0, 10.0
#: Between two regular reads, jobs submitted since may cause extra reads: at most so many, and
#: together at most so long.
MAX_EXTRA_READS, EXTRA_READS_SECONDS = 10, 0.1
DEFAULT_POLICY = Policy()


@dataclass(frozen=True)
class Snapshot:
    """The box and its plan at one moment."""

    box: Box
    plan: Plan
    positions: Mapping[str, int]
    #: How many jobs of each owner wait, by priority; empty if all of them are in the plan.
    counts: Mapping[str, Counter[int]]

    @cached_property
    def forecast(self) -> Mapping[str, Start]:
        """When the first jobs start; not of jobs whose owners may not start so many."""
        return forecast(self.box, self.plan)

    @property
    def waiting(self) -> int:
        """How many jobs wait."""
        return sum(map(Counter.total, self.counts.values())) or len(self.plan.entries)

    @property
    def is_whole(self) -> bool:
        """Whether the plan has all jobs that wait."""
        return not self.counts

    def about(self, owner: str, ahead: int) -> int:
        """Return about which position a job behind the plan has.

        Args:
            owner: of the job.
            ahead: how many jobs of the same owner are before it.
        """
        means = self._mean_seconds
        own = self._usage(owner) + ahead * means.get(owner, UNKNOWN_SECONDS)
        position = 1 + ahead
        for other, counts in self.counts.items():
            if other != owner:
                earlier = (own - self._usage(other)) / means.get(other, UNKNOWN_SECONDS)
                position += max(0, min(counts.total(), floor(earlier) + 1))
        return max(position, len(self.positions) + 1)

    def about_new(self, owner: str, priority: int) -> int:
        """Return about which position a job has that was submitted after this snapshot."""
        counts = self.counts.get(owner, Counter())
        return self.about(owner, sum(n for level, n in counts.items() if level >= priority))

    def _usage(self, owner: str) -> float:
        known = self.box.owners.get(owner)
        return 0.0 if known is None else known.usage / known.weight

    @cached_property
    def _mean_seconds(self) -> dict[str, float]:
        """Return the predicted device-seconds of a job of each owner in the plan."""
        seconds: dict[str, list[float]] = {}
        for entry in self.plan.entries:
            p50 = entry.job.seconds_p50 if isfinite(entry.job.seconds_p50) else UNKNOWN_SECONDS
            seconds.setdefault(entry.job.owner, []).append(p50 * entry.job.gpus)
        return {owner: max(1.0, fmean(values)) for owner, values in seconds.items()}


class QueueOrder:
    """A snapshot of the queue, which is current to a second, or to two if the queue is long."""

    def __init__(self, database: Database, policy: Policy = DEFAULT_POLICY) -> None:
        self.database = database
        self.policy = policy
        #: Held while the queue is read.
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None
        self._read_at = float("-inf")
        #: Extra reads that are left before the next regular read.
        self._extra_reads = 0
        self._used_at = float("-inf")
        self._refresher: threading.Thread | None = None
        self._is_closed = threading.Event()

    def close(self) -> None:
        """End the thread."""
        self._is_closed.set()
        if self._refresher is not None:
            self._refresher.join()

    def snapshot(self) -> Snapshot:
        """Return the current snapshot."""
        snapshot = self._current()
        if snapshot is None:
            with self._lock:
                snapshot = self._current() or self._read_regularly()
        return snapshot

    def snapshot_with(self, job_id: str, *, allow_extra_read: bool = True) -> Snapshot:
        """Return a snapshot that has a job which was submitted a moment ago, where possible.

        Args:
            job_id: The job.
            allow_extra_read: Whether the queue may be read again to find a job that is not in the
                snapshot.
        """
        return self._snapshot_with([job_id], allow_extra_read=allow_extra_read)

    def position(self, job_id: str, *, allow_extra_read: bool = True) -> int | None:
        """Return the position of a queued job, from 1; None if it does not wait.

        Args:
            job_id: The job.
            allow_extra_read: As for `snapshot_with`.
        """
        return self.positions([job_id], allow_extra_read=allow_extra_read).get(job_id)

    def positions(
        self, job_ids: Collection[str], *, allow_extra_read: bool = True
    ) -> dict[str, int]:
        """Return the positions of queued jobs, without the jobs that do not wait.

        Args:
            job_ids: The jobs.
            allow_extra_read: As for `snapshot_with`.
        """
        snapshot = self._snapshot_with(job_ids, allow_extra_read=allow_extra_read)
        known = {each: snapshot.positions[each] for each in job_ids if each in snapshot.positions}
        behind = [each for each in job_ids if each not in known]
        return known if snapshot.is_whole or not behind else known | self._about(snapshot, behind)

    def position_of_new(self, job_id: str, owner: str, priority: int) -> int | None:
        """Return the position of a job that was submitted just now, without a query for it.

        None if the snapshot has all jobs that wait but is older than the job.
        """
        snapshot = self.snapshot()
        position = snapshot.positions.get(job_id)
        if position is not None or snapshot.is_whole:
            return position
        return snapshot.about_new(owner, priority)

    def _snapshot_with(self, job_ids: Collection[str], *, allow_extra_read: bool) -> Snapshot:
        snapshot = self.snapshot()
        if not allow_extra_read or not _lacks(snapshot, job_ids):
            return snapshot
        with self._lock:
            snapshot = self._snapshot or snapshot  # another thread may have read it
            if _lacks(snapshot, job_ids) and self._extra_reads:
                self._extra_reads -= 1
                snapshot = self._read()
            return snapshot

    def next_position(self, owner: str, priority: int) -> int:
        """Return the position that a job submitted now would have."""
        snapshot = self.snapshot()
        job = WaitingJob(new_id("job"), owner, priority, snapshot.box.now)
        lines: dict[str, list[WaitingJob]] = {owner: [job]}
        for entry in snapshot.plan.entries:
            lines.setdefault(entry.job.owner, []).append(entry.job)
        box = snapshot.box
        ordered = in_order(
            Box(box.now, box.policy, box.owners, box.devices, box.running, _by_owner(lines))
        )
        ids = (place.job.id for place in ordered)
        found = next(number for number, job_id in enumerate(ids, start=1) if job_id == job.id)
        if snapshot.is_whole or found <= len(snapshot.plan.entries):
            return found
        return snapshot.about_new(owner, priority)

    def _about(self, snapshot: Snapshot, job_ids: Collection[str]) -> dict[str, int]:
        """Return about which positions jobs behind the plan have, with one query for all."""
        jobs = tables.jobs.c
        wanted = sa.select(jobs.owner).where(jobs.id.in_(job_ids), jobs.state == "queued")
        place = sa.func.row_number().over(
            partition_by=jobs.owner, order_by=(jobs.priority.desc(), jobs.id)
        )
        lines = (
            sa.select(jobs.id, jobs.owner, place.label("place"))
            .where(sa.text("jobs.state = 'queued'"), jobs.owner.in_(wanted))
            .where(is_not_quarantined())
            .subquery()
        )
        query = sa.select(lines).where(lines.c.id.in_(job_ids))
        with self.database.read() as connection:
            rows = connection.execute(query).all()
        return {row.id: snapshot.about(row.owner, row.place - 1) for row in rows}

    def _current(self) -> Snapshot | None:
        """Return the snapshot if it is current."""
        snapshot = self._snapshot
        at = self._used_at = time.monotonic()
        if snapshot is None:
            return None
        max_age = MAX_AGE_SECONDS if snapshot.is_whole else MAX_AGE_OF_LONG_SECONDS
        return snapshot if at - self._read_at <= max_age else None

    def _read_regularly(self) -> Snapshot:
        """Read the queue; the lock is held."""
        began_at = time.monotonic()
        snapshot = self._read()
        read_seconds = time.monotonic() - began_at
        self._read_at = began_at if not snapshot.is_whole else began_at + read_seconds
        # A long queue takes long to read, so it gets fewer extra reads, but always one.
        extra_reads = int(EXTRA_READS_SECONDS / max(read_seconds, 1e-3))
        self._extra_reads = max(1, min(MAX_EXTRA_READS, extra_reads))
        if not snapshot.is_whole and (self._refresher is None or not self._refresher.is_alive()):
            self._refresher = threading.Thread(target=self._refresh, name="queue", daemon=True)
            self._refresher.start()
        return snapshot

    def _refresh(self) -> None:
        """Read a long queue again and again, as long as requests need it."""
        snapshot = self._snapshot
        while snapshot is not None and not snapshot.is_whole:
            wait_seconds = self._read_at + MAX_AGE_SECONDS - time.monotonic()
            if self._is_closed.wait(max(0.0, wait_seconds)):
                return
            if time.monotonic() - self._used_at > IDLE_SECONDS:
                return
            with self._lock:
                try:
                    snapshot = self._read_regularly()
                except Unavailable:
                    return  # the next request reads it, or reports why it cannot

    def _read(self) -> Snapshot:
        with self.database.read() as connection:
            box = read_box(connection, self.policy)
            made = plan(box)
            # Positions behind the plan are estimated from the number of jobs of each owner.
            is_cut = len(made.entries) == MAX_CANDIDATES
            counts = count_by_owner(connection) if is_cut else {}
        positions = {entry.job.id: place for place, entry in enumerate(made.entries, start=1)}
        self._snapshot = Snapshot(box, made, positions, counts)
        return self._snapshot


def _lacks(snapshot: Snapshot, job_ids: Collection[str]) -> bool:
    """Return whether a job is not in the snapshot though it may wait since a moment ago."""
    return snapshot.is_whole and any(each not in snapshot.positions for each in job_ids)


def _by_owner(lines: Mapping[str, list[WaitingJob]]) -> dict[str, Iterator[WaitingJob]]:
    return {owner: iter(sorted(jobs, key=own_order)) for owner, jobs in lines.items()}
