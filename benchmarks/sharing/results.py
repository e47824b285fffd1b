"""What a simulated week was like for the people who waited."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from statistics import fmean

from benchmarks.sharing.simulator import Simulation
from benchmarks.sharing.workload import DEVICES, WEEK

HOUR = 3_600.0
SHORT_SECONDS = 300.0
#: Of the eight people, the four who submit least.
LIGHT = ("person4", "person5", "person6", "person7")


@dataclass(frozen=True)
class Result:
    """The values of one week, times in hours."""

    mean_wait: float
    p95_wait: float
    longest_wait: float
    wait_of_short_jobs: float
    wait_of_light_users: float
    slowdown: float
    #: Jain's index of the people's inverse slowdowns: 1 if all are served alike.
    jain: float
    completion: float
    #: Work done in the week over the devices' capacity.
    goodput: float
    #: The longest time that a person's first job waited since the person was last served.
    unserved: float

    @classmethod
    def of(cls, box: Simulation) -> "Result":
        """Return the result of a simulation that has run."""
        ended = [j for j in box.jobs if j.ended_at is not None and j.first_started_at is not None]
        waits = {job.id: (job.first_started_at or 0.0) - job.submitted_at for job in ended}
        ordered = sorted(waits.values())
        completion = {job.id: (job.ended_at or 0.0) - job.submitted_at for job in ended}
        served = [
            1 / fmean([max(1.0, completion[j.id] / max(600.0, j.seconds)) for j in mine])
            for owner in box.usage
            if (mine := [job for job in ended if job.owner == owner])
        ]
        return cls(
            mean_wait=fmean(ordered) / HOUR,
            p95_wait=ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))] / HOUR,
            longest_wait=ordered[-1] / HOUR,
            wait_of_short_jobs=_mean(waits[j.id] for j in ended if j.seconds <= SHORT_SECONDS)
            / HOUR,
            wait_of_light_users=_mean(waits[j.id] for j in ended if j.owner in LIGHT) / HOUR,
            slowdown=fmean(max(1.0, completion[j.id] / max(60.0, j.seconds)) for j in ended),
            jain=sum(served) ** 2 / (len(served) * sum(value * value for value in served)),
            completion=fmean(completion.values()) / HOUR,
            goodput=box.useful_in_week / (DEVICES * WEEK),
            unserved=box.longest_unserved / HOUR,
        )

    @classmethod
    def mean(cls, results: "list[Result]") -> "Result":
        """Return the mean of several weeks; `unserved` is the longest of all."""
        values = {f.name: fmean(getattr(r, f.name) for r in results) for f in fields(cls)}
        return cls(**values | {"unserved": max(result.unserved for result in results)})


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return fmean(found) if found else 0.0
