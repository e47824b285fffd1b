"""On which devices a job starts, and which devices are held for a job that does not fit yet."""

from bisect import insort
from dataclasses import dataclass
from math import inf, isfinite
from operator import itemgetter

from shared.jobs.planning.box import Box, Device, RunningJob, WaitingJob
from shared.jobs.planning.exactness import Exactness

_end = itemgetter(0)


@dataclass(frozen=True, slots=True)
class Reservation:
    """The devices held for the first job that does not fit."""

    job: WaitingJob
    devices: tuple[str, ...]
    at: float


class Space:
    """A device while the plan fills it."""

    __slots__ = ("device", "exactness", "free_mib", "held_until", "jobs", "limit", "utilization")

    def __init__(self, device: Device, limit: int, exactness: Exactness) -> None:
        self.device, self.exactness = device, exactness
        #: How many jobs it may have.
        self.limit = limit
        self.free_mib = device.free_mib if device.total_mib else inf
        self.utilization = 0.0
        #: When each of its jobs is predicted to end, the earliest first.
        self.jobs: list[tuple[float, WaitingJob | RunningJob]] = []
        #: Later jobs must end before this time; infinite if it is not held.
        self.held_until: float | None = None

    @property
    def may_be_shared(self) -> bool:
        """Whether jobs are there, and there may be one more."""
        return 0 < len(self.jobs) < self.limit and all(job.can_share for _, job in self.jobs)

    def add(self, job: WaitingJob | RunningJob, *, ends_at: float, is_counted: bool) -> None:
        """Put a job on the device.

        Args:
            job: its memory and utilization.
            ends_at: its predicted end.
            is_counted: whether the device's free memory already leaves the job out.
        """
        insort(self.jobs, (ends_at, job), key=_end)
        self.utilization += job.utilization
        if not is_counted:
            self.free_mib -= job.memory_mib

    def is_empty_for(self, job: WaitingJob, until: float) -> bool:
        """Return whether the device is free for the job alone."""
        return not self.jobs and self._fits(job, 0, self.free_mib) and self._allows(until)

    def is_shared_for(self, job: WaitingJob, until: float) -> bool:
        """Return whether the job fits next to the jobs that are there."""
        return bool(self.jobs) and self._fits(job, 0, self.free_mib) and self._allows(until)

    def free_at(self, job: WaitingJob, now: float) -> float | None:
        """Return when the job is predicted to fit; None if it never fits."""
        free, at = self.free_mib, now
        if self._fits(job, 0, free):
            return at
        for gone, (ends_at, other) in enumerate(self.jobs, start=1):
            at, free = max(at, ends_at), free + other.held_mib
            if self._fits(job, gone, free):
                return at
        return None

    def _fits(self, job: WaitingJob, gone: int, free_mib: float) -> bool:
        """Return whether a job fits once so many of the jobs have left."""
        if not self.exactness.suits(job, self.device):
            return False
        count = len(self.jobs) - gone
        if job.memory_mib > free_mib or not count:
            return job.memory_mib <= free_mib
        if not job.can_share or count >= self.limit:
            return False
        if self.utilization * count / len(self.jobs) + job.utilization > 1.0:
            return False
        apart = self.device.apart
        return all(
            other.can_share and not (apart and frozenset((job.kind, other.kind)) in apart)
            for _, other in self.jobs[gone:]
        )

    def _allows(self, until: float) -> bool:
        if self.device.closed is not None:
            return False
        return self.held_until is None or (isfinite(until) and until <= self.held_until)


class Room:
    """All devices while the plan fills them."""

    def __init__(self, box: Box) -> None:
        self.now = box.now
        self.exactness = Exactness(box.now, box.devices)
        self.spaces = {
            device.id: Space(device, box.policy.jobs_on(device), self.exactness)
            for device in box.devices
        }
        self._by_host: dict[str, list[Space]] = {}
        for space in self.spaces.values():
            self._by_host.setdefault(space.device.host, []).append(space)
        for job in box.running:
            for name in job.devices:
                space = self.spaces.get(name)
                if space is None:
                    continue
                ends = job.ends_p90
                if job.is_stopping:
                    ends = min(ends, self.now + job.switch_seconds)
                space.add(job, ends_at=ends, is_counted=True)
        for space in self.spaces.values():
            _use_measured_utilization(space, box)

    @property
    def is_full(self) -> bool:
        """Whether no device can get any further job."""
        return not any(
            space.device.closed is None and len(space.jobs) < space.limit
            for space in self.spaces.values()
        )

    def find(self, job: WaitingJob) -> tuple[str, ...] | None:
        """Return the devices on which the job starts now, or None.

        An empty device is preferred (the smallest that suffices); else the shared device with the
        least free memory left. A job of several devices gets empty devices of one host.
        """
        until = self.now + job.seconds_p90
        spaces = self.spaces.values()
        empty = [space for space in spaces if space.is_empty_for(job, until)]
        empty.sort(key=lambda space: (space.device.total_mib, space.device.id))
        if job.gpus == 1:
            if empty:
                return (empty[0].device.id,)
            shared = (space for space in spaces if space.is_shared_for(job, until))
            best = min(shared, key=lambda space: (space.free_mib, space.device.id), default=None)
            return None if best is None else (best.device.id,)
        for host in self._by_host:
            names = [space.device.id for space in empty if space.device.host == host]
            if len(names) >= job.gpus:
                return tuple(names[: job.gpus])
        return None

    def occupy(self, job: WaitingJob, devices: tuple[str, ...]) -> None:
        """Put a job that starts now on its devices."""
        for name in devices:
            self.spaces[name].add(job, ends_at=self.now + job.seconds_p90, is_counted=False)

    def reserve(self, job: WaitingJob, *, is_overdue: bool) -> Reservation | None:
        """Hold the devices that are free for the job first; None if it never fits.

        On the held devices a later job may start only if it is predicted to end in time. For an
        overdue job nothing starts there.
        """
        best: tuple[float, str, tuple[str, ...]] | None = None
        for host, spaces in self._by_host.items():
            times = sorted(
                (at, space.device.id)
                for space in spaces
                if space.device.closed in (None, "elsewhere", "busy")
                and (at := space.free_at(job, self.now)) is not None
            )
            if len(times) >= job.gpus:
                taken = times[: job.gpus]
                option = (taken[-1][0], host, tuple(name for _, name in taken))
                best = option if best is None else min(best, option)
        if best is None:
            return None
        at, _, devices = best
        for name in devices:
            self.spaces[name].held_until = self.now if is_overdue else at
        return Reservation(job, devices, at)


def _use_measured_utilization(space: Space, box: Box) -> None:
    """Count what the device measured for jobs that ran all the while, and others as predicted."""
    device = space.device
    if device.utilization is None or not space.jobs:
        return
    since = box.now - device.utilization_seconds
    jobs = [job for _, job in space.jobs if isinstance(job, RunningJob)]
    space.utilization = device.utilization + sum(
        job.utilization for job in jobs if job.started_at > since
    )
