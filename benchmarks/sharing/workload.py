"""Submissions of a week: eight people, bursts and office hours, durations as in published traces."""

import math
import random
from dataclasses import dataclass, field

WEEK = 7 * 86_400.0
DEVICES, PEOPLE = 4, 8
DEVICE_MIB = 80_000.0
#: Longer jobs are cut to this.
MAX_SECONDS = 48 * 3_600.0
#: The chance of a submission at night and at the weekend, compared with office hours.
AT_NIGHT, AT_WEEKENDS = 0.35, 0.5
#: A job of high priority must be limited to this; a longer job has normal priority.
MAX_SECONDS_OF_HIGH = 4 * 3_600.0
#: What a predicted memory leaves for the error of the prediction.
MARGIN = 1.15
#: The share of jobs of a kind that has been seen, and the error (σ of the logarithm) of their
#: predicted time; then the same for new kinds.
SEEN, ERROR_OF_SEEN, ERROR_OF_NEW = 0.7, 0.25, 1.0


@dataclass(frozen=True)
class Trace:
    """The distribution of durations (log-normal) and the load that it makes."""

    name: str
    median_seconds: float
    sigma: float
    load: float


HELIOS = Trace("Helios, load 0.9", 206, math.sqrt(2 * math.log(32.3)), 0.9)
HELIOS_LIGHT = Trace("Helios, load 0.7", 206, math.sqrt(2 * math.log(32.3)), 0.7)
CLASSROOM = Trace("classroom, load 0.9", 300, 1.5, 0.9)


@dataclass(eq=False)
class SimulatedJob:
    """A job, and what happens to it."""

    id: str
    owner: str
    submitted_at: float
    #: What it takes alone.
    seconds: float
    gpus: int
    memory_mib: float
    utilization: float
    priority: int
    #: As predicted at submission, and as a careful user would limit it.
    predicted_p50: float
    predicted_p90: float
    limit_seconds: float
    #: The error of a prediction from its own speed, once that is known.
    own_error: float
    left: float = field(init=False)
    #: What switches have still to take.
    switching: float = 0.0
    eligible_at: float = field(init=False)
    devices: tuple[str, ...] = ()
    started_at: float = 0.0
    first_started_at: float | None = None
    ended_at: float | None = None
    stops_at: float | None = None
    speed: float = 1.0
    yields: int = 0

    def __post_init__(self) -> None:
        self.left = self.seconds
        self.eligible_at = self.submitted_at

    @property
    def done(self) -> float:
        """The seconds of work that are done."""
        return self.seconds - self.left


def week(trace: Trace, seed: int, *, misprediction: float = 1.0) -> list[SimulatedJob]:
    """Return a week of submissions, in order.

    Args:
        trace: the durations and the load.
        seed: of everything that is drawn.
        misprediction: by which every predicted time is multiplied.
    """
    draw = random.Random(seed)
    weights = [1 / (person + 1) for person in range(PEOPLE)]
    jobs: list[SimulatedJob] = []
    total, wanted = 0.0, trace.load * DEVICES * WEEK
    while total < wanted:
        owner = draw.choices(range(PEOPLE), weights)[0]
        at = _submission_time(draw)
        count = 1 if draw.random() < 0.8 else 2 + min(30, int(draw.expovariate(1 / 6)))
        gpus = draw.choices([1, 2, 4], [0.80, 0.13, 0.07])[0] if count == 1 else 1
        base = draw.lognormvariate(math.log(trace.median_seconds), trace.sigma)
        base = min(MAX_SECONDS, max(5.0, base))
        is_seen = draw.random() < SEEN
        for _ in range(count):
            seconds = min(MAX_SECONDS, base * (draw.lognormvariate(0, 0.2) if count > 1 else 1))
            error = draw.lognormvariate(0, ERROR_OF_SEEN if is_seen else ERROR_OF_NEW)
            p50 = seconds * error * misprediction
            limit = seconds * draw.choice([2, 4, 8])
            priority = draw.choices([10, 0, -10], [0.1, 0.8, 0.1])[0]
            if limit > MAX_SECONDS_OF_HIGH:
                priority = min(priority, 0)
            jobs.append(
                SimulatedJob(
                    id="",
                    owner=f"person{owner}",
                    submitted_at=at + draw.random() * 5,
                    seconds=seconds,
                    gpus=gpus,
                    memory_mib=DEVICE_MIB
                    * _between(0.02, draw.lognormvariate(math.log(0.18), 0.9), 0.85),
                    utilization=_between(0.05, draw.betavariate(1.2, 1.6), 1.0),
                    priority=priority,
                    predicted_p50=p50,
                    predicted_p90=p50 * (1.5 if is_seen else 4.0),
                    limit_seconds=limit,
                    own_error=draw.lognormvariate(0, 0.05),
                )
            )
            total += seconds * gpus
    jobs.sort(key=lambda job: job.submitted_at)
    for number, job in enumerate(jobs):
        job.id = f"job_{number:06}"
    return jobs


def _submission_time(draw: random.Random) -> float:
    while True:
        at = draw.random() * WEEK
        hour, day = at / 3_600 % 24, at // 86_400 % 7
        chance = (1.0 if 9 <= hour < 20 else AT_NIGHT) * (1.0 if day < 5 else AT_WEEKENDS)
        if draw.random() < chance:
            return at


def _between(least: float, value: float, most: float) -> float:
    return max(least, min(most, value))
