"""When waiting jobs start: the order is filled onto the devices with times that are drawn.

The forecast takes the jobs in their order, each on the devices that are free first. It leaves out
what comes later: further submissions, and jobs that give way.
"""

import heapq
import random
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, inf, isfinite, log

from shared.jobs.planning.box import Box, RunningJob, WaitingJob

#: How often times are drawn, and for how many jobs.
DRAWS, MAX_JOBS = 64, 200
#: The standard normal distribution's value of its 90th percentile.
Z90 = 1.2816


@dataclass(frozen=True, slots=True)
class Start:
    """When a job starts, in seconds since the epoch; infinite if unknown."""

    p50: float
    p90: float


def forecast(box: Box, jobs: Sequence[WaitingJob]) -> dict[str, Start]:
    """Return when each of the first jobs starts.

    Args:
        box: whose devices and running jobs count.
        jobs: the waiting jobs in their order.
    """
    jobs = jobs[:MAX_JOBS]
    usable = [device.id for device in box.devices if device.closed in (None, "busy", "elsewhere")]
    if not usable or not jobs:
        return {job.id: Start(inf, inf) for job in jobs}
    draw = random.Random(0)  # the same box gives the same forecast
    starts: dict[str, list[float]] = {job.id: [] for job in jobs}
    for _ in range(DRAWS):
        free = [
            max((_end(box, job, draw) for job in _on(box, name)), default=box.now)
            for name in usable
        ]
        heapq.heapify(free)
        for job in jobs:
            if job.gpus > len(free):
                starts[job.id].append(inf)
                continue
            taken = [heapq.heappop(free) for _ in range(job.gpus)]
            at = taken[-1]
            starts[job.id].append(at)
            end = at + _seconds(job.seconds_p50, job.seconds_p90, draw)
            for _ in taken:
                heapq.heappush(free, end)
    return {name: _quantiles(values) for name, values in starts.items()}


def _quantiles(values: list[float]) -> Start:
    ordered = sorted(values)
    return Start(ordered[len(ordered) // 2], ordered[int(0.9 * len(ordered))])


def _on(box: Box, name: str) -> list[RunningJob]:
    return [job for job in box.running if name in job.devices]


def _end(box: Box, job: RunningJob, draw: random.Random) -> float:
    left = _seconds(job.ends_p50 - box.now, job.ends_p90 - box.now, draw)
    return box.now + left


def _seconds(p50: float, p90: float, draw: random.Random) -> float:
    """Draw a duration from a log-normal distribution with these percentiles."""
    if not isfinite(p50):
        return inf
    p50 = max(p50, 1.0)
    sigma = log(p90 / p50) / Z90 if isfinite(p90) and p90 > p50 else 0.0
    return p50 * exp(sigma * draw.gauss(0.0, 1.0))
