"""Whether jobs that share a device are slower together than one after the other.

Each job's speed is measured while it is alone on its device and while it is not. The speeds
together, each over the speed alone, add up to what the device gains: 1 is as much as one job after
the other, 2 is two jobs at full speed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean

from shared.jobs.liveness import Speed

#: Below this gain the newest job of a device has to leave it.
LEAST_GAIN = 1.1
#: How long jobs are together before their gain is judged, and how much of that is left out: the
#: reported speeds are moving averages.
TOGETHER_SECONDS, SETTLING_SECONDS = 60.0, 20.0
#: How long an alone job runs before its speed counts.
ALONE_SECONDS = 10.0
#: How long two kinds of jobs that were too slow together are kept apart.
APART_SECONDS = 86_400.0
#: How many kinds' speeds are kept.
MAX_KINDS = 1_000


@dataclass(frozen=True)
class Separation:
    """A job that has to leave its device."""

    job_id: str
    #: The sum of the jobs' speeds, each over its speed alone.
    gain: float


@dataclass
class _Company:
    """The jobs on a device, while they stay the same."""

    jobs: tuple[str, ...]
    since: float
    speeds: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    is_judged: bool = False


class Interference:
    """Measures the jobs of a worker; all times are of one clock, in seconds."""

    def __init__(self) -> None:
        self._companies: dict[str, _Company] = {}
        #: The speed of a kind alone on a device, by kind.
        self._alone: dict[str, float] = {}
        #: Until when two kinds are kept apart.
        self._apart: dict[tuple[str, str], float] = {}

    def apart(self, at: float) -> list[tuple[str, str]]:
        """Return the pairs of kinds that do not share a device now."""
        self._apart = {pair: until for pair, until in self._apart.items() if until > at}
        return sorted(self._apart)

    def observe(self, at: float, speeds: Sequence[Speed]) -> list[Separation]:
        """Take in the speeds of all running jobs; return the jobs that have to leave.

        Args:
            at: now.
            speeds: of all jobs, the oldest first.
        """
        by_device: dict[str, list[Speed]] = {}
        for speed in speeds:
            by_device.setdefault(speed.device, []).append(speed)
        self._companies = {name: c for name, c in self._companies.items() if name in by_device}
        found = (self._observe(at, name, jobs) for name, jobs in by_device.items())
        return [separation for separation in found if separation is not None]

    def _observe(self, at: float, device: str, jobs: Sequence[Speed]) -> Separation | None:
        names = tuple(job.job_id for job in jobs)
        company = self._companies.get(device)
        if company is None or company.jobs != names:
            company = self._companies[device] = _Company(names, at)
        has_stepped = all(job.images_per_second for job in jobs)
        if not has_stepped:  # loading is no measure of the speed
            company.since = at
            return None
        seconds = at - company.since
        if len(jobs) == 1:
            if seconds >= ALONE_SECONDS:
                self._keep(jobs[0])
            return None
        if company.is_judged or seconds < SETTLING_SECONDS:
            return None
        for job in jobs:
            company.speeds.setdefault(job.job_id, []).append(job.images_per_second or 0.0)
        return self._judge(at, company, jobs) if seconds >= TOGETHER_SECONDS else None

    def _keep(self, job: Speed) -> None:
        self._alone.pop(job.kind, None)
        self._alone[job.kind] = job.images_per_second or 0.0
        while len(self._alone) > MAX_KINDS:
            self._alone.pop(next(iter(self._alone)))

    def _judge(self, at: float, company: _Company, jobs: Sequence[Speed]) -> Separation | None:
        """Return the newest job if the device gains too little; jobs never alone count as the mean.

        Where no job was ever alone, nothing can be said yet.
        """
        ratios = [
            fmean(company.speeds[job.job_id]) / self._alone[job.kind]
            for job in jobs
            if self._alone.get(job.kind)
        ]
        if not ratios:
            return None
        company.is_judged = True
        gain = fmean(ratios) * len(jobs)
        if gain >= LEAST_GAIN:
            return None
        newest = jobs[-1]
        for other in jobs[:-1]:
            first, second = sorted((newest.kind, other.kind))
            self._apart[first, second] = at + APART_SECONDS
        return Separation(newest.job_id, round(gain, 3))
