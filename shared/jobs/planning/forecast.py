"""When waiting jobs start: the order is filled onto the devices with times that are drawn.

The plan says what starts now. The other jobs follow in their order, each where it can start first.
A device is divided into equal parts, of which jobs that share it take as many as their memory and
utilization need. What comes later is left out: further submissions, and jobs that give way.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, exp, inf, isfinite, log

from shared.jobs.planning.box import Box, Device, RunningJob, WaitingJob
from shared.jobs.planning.exactness import Exactness
from shared.jobs.planning.plan import Entry, Plan

#: How often times are drawn, and for how many jobs.
DRAWS, MAX_JOBS = 64, 200
#: Into how many parts a device is divided.
PARTS = 20
#: The standard normal distribution's value of its 90th percentile.
Z90 = 1.2816


@dataclass(frozen=True, slots=True)
class Start:
    """When a job starts, in seconds since the epoch; infinite if unknown."""

    p50: float
    p90: float


def forecast(box: Box, made: Plan) -> dict[str, Start]:
    """Return when each of the first jobs starts, without the jobs that their owners may not start.

    Args:
        box: whose devices and running jobs count.
        made: its plan.
    """
    exactness = Exactness(box.now, box.devices)
    devices = {device.id: _Space(box, device, exactness) for device in box.devices}
    startable = [entry for entry in made.entries if not entry.place.is_limited]
    choices = [_Choice(entry, devices) for entry in startable[:MAX_JOBS]]
    draw = random.Random(0)  # the same box gives the same forecast
    starts: dict[str, list[float]] = {choice.job.id: [] for choice in choices}
    for _ in range(DRAWS):
        free = {name: [box.now] * PARTS for name in devices}
        for job in box.running:
            end = _end(box, job, draw)
            for name in job.devices:
                if name in devices:
                    _take(free[name], devices[name].parts_of(job), end)
        for choice in choices:
            at, names = choice.first(free, box.now)
            starts[choice.job.id].append(at)
            end = at + _seconds(choice.job.seconds_p50, choice.job.seconds_p90, draw)
            for name in names:
                _take(free[name], choice.parts[name], end)
    return {name: _quantiles(values) for name, values in starts.items()}


class _Space:
    """What jobs can use of a device."""

    def __init__(self, box: Box, device: Device, exactness: Exactness) -> None:
        self._device, self._exactness = device, exactness
        jobs = [job for job in box.running if device.id in job.devices]
        self.host = device.host
        self.is_usable = device.closed in (None, "busy", "elsewhere")
        self._limit = box.policy.jobs_on(device)
        self._mib = device.free_mib + sum(job.held_mib for job in jobs) if device.total_mib else inf
        self._measured = (device.utilization or 0.0) / max(1, len(jobs))

    def fits(self, job: WaitingJob) -> bool:
        """Return whether the job ever fits."""
        is_suited = self._exactness.suits(job, self._device)
        return self.is_usable and is_suited and job.memory_mib <= self._mib

    def parts_of(self, job: WaitingJob | RunningJob) -> int:
        """Return how many parts of the device a job takes."""
        if self._limit == 1 or not job.can_share or job.held_mib >= self._mib:
            return PARTS
        used = self._measured if isinstance(job, RunningJob) else job.utilization
        share = max(1 / self._limit, used, job.held_mib / self._mib)
        return min(PARTS, ceil(PARTS * share - 1e-9))


class _Choice:
    """A waiting job, and the devices on which it can start."""

    def __init__(self, entry: Entry, devices: Mapping[str, _Space]) -> None:
        self.job = entry.job
        self._now = entry.devices
        names = entry.devices or [name for name in devices if devices[name].fits(entry.job)]
        #: How many parts of each device it takes.
        self.parts = {name: devices[name].parts_of(entry.job) for name in names}
        self._hosts: dict[str, list[str]] = {}
        for name in names:
            self._hosts.setdefault(devices[name].host, []).append(name)

    def first(self, free: Mapping[str, list[float]], now: float) -> tuple[float, tuple[str, ...]]:
        """Return when and on which devices it starts; infinite and none for never.

        Args:
            free: by device, when each of its parts is free, in order.
            now: when the jobs start that the plan starts.
        """
        if self._now is not None:
            return now, self._now
        if self.job.gpus == 1:
            times = [(free[name][parts - 1], name) for name, parts in self.parts.items()]
            at, name = min(times, default=(inf, ""))
            return at, (name,) if name else ()
        best: tuple[float, tuple[str, ...]] = (inf, ())
        for names in self._hosts.values():
            taken = sorted(names, key=lambda name: (free[name][-1], name))[: self.job.gpus]
            if len(taken) == self.job.gpus:
                best = min(best, (free[taken[-1]][-1], tuple(taken)))
        return best


def _take(free: list[float], parts: int, end: float) -> None:
    """Let a job use the parts of a device that are free first."""
    free[:parts] = [end] * parts
    free.sort()


def _quantiles(values: list[float]) -> Start:
    ordered = sorted(values)
    return Start(ordered[len(ordered) // 2], ordered[int(0.9 * len(ordered))])


def _end(box: Box, job: RunningJob, draw: random.Random) -> float:
    left = _seconds(job.ends_p50 - box.now, job.ends_p90 - box.now, draw)
    return box.now + (min(left, job.switch_seconds) if job.is_stopping else left)


def _seconds(p50: float, p90: float, draw: random.Random) -> float:
    """Draw a duration from a log-normal distribution with these percentiles."""
    if not isfinite(p50):
        return inf
    p50 = max(p50, 1.0)
    sigma = log(p90 / p50) / Z90 if isfinite(p90) and p90 > p50 else 0.0
    return p50 * exp(sigma * draw.gauss(0.0, 1.0))
