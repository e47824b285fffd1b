"""`make bench ONLY=estimates`: predicted times and memory, replayed over a long history.

The submissions come from the simulator of sharing, week after week, and the plan decides when they
start. Each job is predicted only from attempts that ended before its submission.
`TRAINSHED_BENCH_REPLAYED_JOBS` sets how many jobs are replayed.
"""

import heapq
import math
import os
import random
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from benchmarks.measurement import Measurement
from benchmarks.sharing.ours import PACKED, Ours
from benchmarks.sharing.simulator import Simulation
from benchmarks.sharing.workload import ERROR_OF_SEEN, HELIOS, SEEN, WEEK, SimulatedJob, week
from shared.jobs.estimates.cost import Cost
from shared.jobs.estimates.durations import (
    BASES,
    Duration,
    History,
    Observation,
    predict_duration,
    z90_of,
)
from shared.jobs.estimates.history import MAX_ARCHITECTURE, MAX_COLD, MAX_ERRORS, MAX_SEEN
from shared.jobs.estimates.memory import predict_memory
from shared.jobs.estimates.quality import (
    MemoryQuality,
    TimeQuality,
    memory_quality,
    time_quality,
)

JOBS = int(os.environ.get("TRAINSHED_BENCH_REPLAYED_JOBS", "10000"))
#: By architecture: the memory that torch reserved on an H100 over the predicted memory of the
#: network, at batch sizes of 32 and 64 (docs/benchmarks/gpu-nvidia-h100-80gb-hbm3-2026-11-27.md).
RESERVED_OVER_NETWORK = {
    "vgg16": (1.560, 1.435),
    "resnet50": (1.223, 1.207),
    "densenet121": (1.190, 1.156),
    "mobilenet_v2": (1.166, 1.148),
    "xception": (1.121, 1.121),
    "efficientnet_b0": (1.244, 1.134),
}
#: How much the peaks of attempts of a kind differ (σ of the logarithm); assumed, not measured.
MEMORY_SPREAD = 0.02
#: The network's predicted memory over kinds: the median in MiB and σ of the logarithm.
NETWORK_MIB, NETWORK_SPREAD = 4_000.0, 0.7
#: Jobs of one submission follow each other within this time.
SUBMISSION_SECONDS = 5.0
PASSES = 1_000.0
#: By basis: the fraction of jobs that may need more than predicted, and the predicted over the
#: needed memory.
MEMORY_TARGETS = {"seen": 0.005, "architecture": 0.01, "cold": 0.02}
RATIO_TARGETS = {"seen": 1.15, "architecture": 1.25, "cold": 1.4}
#: With fewer jobs of a basis its coverage is not shown.
MIN_JOBS = 50
#: How much the times of jobs of a kind differ (σ of the logarithm): of every kind as in the
#: simulator, or drawn for each kind around a smaller value, as on a box that is mostly quiet.
SPREADS = {"each kind alike": (ERROR_OF_SEEN, 0.0), "kinds that differ": (0.08, 0.8)}
#: Of the jobs, so many take much longer than others of their kind.
SLOW_SHARE, SLOW_FACTOR = 0.02, 4.0


@dataclass
class Kind:
    """Jobs that differ only by chance and by their number of epochs."""

    name: str
    family: str
    seconds: float
    sigma: float
    network_mib: float
    peak_mib: float

    @classmethod
    def new(cls, name: str, seconds: float, sigma: float, family: str) -> "Kind":
        """Return a kind whose memory is drawn by its name."""
        draw = random.Random(name)
        network_mib = draw.lognormvariate(math.log(NETWORK_MIB), NETWORK_SPREAD)
        peak_mib = network_mib * draw.uniform(*RESERVED_OVER_NETWORK[family])
        return cls(name, family, seconds, sigma, network_mib, peak_mib)

    def cost(self, scale: float) -> Cost:
        """Return the cost of a job with so many times the epochs."""
        return Cost(self.name, self.family, PASSES * scale, PASSES, 1.0)


@dataclass
class Submitted:
    """A job of the history."""

    job: SimulatedJob
    kind: Kind
    cost: Cost
    #: Of the history, not of its week.
    offset: float
    peak_mib: float
    prediction: Duration | None = None

    def seen(self) -> Observation:
        """Return what its attempt shows."""
        kind = self.kind
        return Observation(
            kind.name,
            kind.family,
            "GPU",
            size=1.0,
            pass_seconds=self.job.seconds / self.cost.passes,
            overhead_seconds=0.0,
            fraction=1.0,
            peak_memory_mib=self.peak_mib,
            network_mib=kind.network_mib,
        )


@dataclass(frozen=True)
class Replayed:
    """The quality of the predictions of a history, by basis."""

    times: dict[str, TimeQuality]
    memory: dict[str, MemoryQuality]


def measure() -> Iterator[Measurement]:
    """Yield the quality of predicted times and memory by how well kinds are known."""
    for name, (sigma, sigma_spread) in SPREADS.items():
        replayed = replay(list(history(JOBS, sigma, sigma_spread)))
        yield from _times(name, replayed.times)
        yield from _memory(name, replayed.memory)


def _times(name: str, quality: dict[str, TimeQuality]) -> Iterator[Measurement]:
    """Yield the coverage of p90 and the error of p50."""
    seen = quality["seen"]
    what = f"predicted time, {name}, {seen.jobs:,} jobs of known kinds"
    for target in ("≥ 0.87", "≤ 0.95"):
        yield _row(what, "fraction that took at most p90", seen.p90_coverage, target)
    yield _row(what, "median difference of time / p50 from 1", seen.median_error, "≤ 0.25")
    for basis in ("architecture", "cold"):
        if quality[basis].jobs < MIN_JOBS:  # too few for a coverage
            continue
        what = f"predicted time, {name}, {quality[basis].jobs:,} jobs, basis {basis}"
        coverage = quality[basis].p90_coverage
        yield _row(what, "fraction that took at most p90", coverage, "≥ 0.85")


def _memory(name: str, quality: dict[str, MemoryQuality]) -> Iterator[Measurement]:
    """Yield how often a job needed more than predicted, and how much is left unused."""
    for basis, target in MEMORY_TARGETS.items():
        found = quality[basis]
        what = f"predicted memory, {name}, {found.jobs:,} jobs, basis {basis}"
        yield Measurement(
            what,
            "fraction that needed more; the spread is its 95 % interval (Wilson)",
            (found.lower, found.exceeded, found.upper),
            f"≤ {target}",
            found.exceeded,
            target,
            "",
        )
        ratio_target = f"≤ {RATIO_TARGETS[basis]}"
        yield _row(what, "median of predicted / needed", found.median_ratio, ratio_target)


def _row(name: str, what: str, value: float, target: str) -> Measurement:
    return Measurement(name, what, (value,), target, value, float(target.split()[1]), "")


def history(count: int, sigma: float, sigma_spread: float) -> Iterator[Submitted]:
    """Yield at least so many jobs, with the times at which the plan lets them run.

    Args:
        count: of the jobs.
        sigma: how much the times of jobs of a kind differ: the median over the kinds.
        sigma_spread: how much that differs between the kinds.
    """
    draw = random.Random(0)
    pools: defaultdict[str, list[Kind]] = defaultdict(list)
    made = number = 0
    while made < count:
        jobs = _with_kinds(week(HELIOS, number), pools, draw, sigma, sigma_spread)
        policy = Ours(PACKED)
        box = Simulation([each.job for each in jobs], policy, half_life_seconds=86_400.0)
        box.run()
        for each in jobs:
            each.offset = number * 10 * WEEK
        yield from jobs
        made, number = made + len(jobs), number + 1


def _with_kinds(
    jobs: list[SimulatedJob],
    pools: dict[str, list[Kind]],
    draw: random.Random,
    sigma: float,
    sigma_spread: float,
) -> list[Submitted]:
    """Give each submission a kind, often a kind that its owner has used, and each job its time."""
    found: list[Submitted] = []
    last: dict[str, tuple[float, Kind]] = {}
    of_memory = random.Random(len(jobs))  # of its own: the times stay as they are without memory
    for job in jobs:
        at, kind = last.get(job.owner, (-math.inf, None))
        if kind is None or job.submitted_at - at > SUBMISSION_SECONDS:
            pool = pools[job.owner]
            if pool and draw.random() < SEEN:
                kind = draw.choice(pool[-20:])
            else:
                own = sigma * draw.lognormvariate(0.0, sigma_spread)
                name = f"{job.owner}/{len(pool)}"
                kind = Kind.new(name, job.seconds, own, draw.choice(list(RESERVED_OVER_NETWORK)))
                pool.append(kind)
        last[job.owner] = (job.submitted_at, kind)
        scale = draw.choice((0.5, 1.0, 1.0, 2.0))
        job.seconds = max(1.0, kind.seconds * scale * draw.lognormvariate(0.0, kind.sigma))
        job.seconds *= SLOW_FACTOR if draw.random() < SLOW_SHARE else 1.0
        job.left = job.seconds
        peak_mib = kind.peak_mib * of_memory.lognormvariate(0.0, MEMORY_SPREAD)
        found.append(Submitted(job, kind, kind.cost(scale), 0.0, peak_mib))
    return found


@dataclass
class Known:
    """What has been observed so far, as far as it would be read from the database."""

    seen: defaultdict[str, deque[Observation]] = field(
        default_factory=lambda: defaultdict(lambda: deque[Observation](maxlen=MAX_SEEN))
    )
    architecture: defaultdict[str, deque[Observation]] = field(
        default_factory=lambda: defaultdict(lambda: deque[Observation](maxlen=MAX_ARCHITECTURE))
    )
    cold: deque[Observation] = field(default_factory=lambda: deque[Observation](maxlen=MAX_COLD))
    errors: defaultdict[str, deque[float]] = field(
        default_factory=lambda: defaultdict(lambda: deque[float](maxlen=MAX_ERRORS))
    )

    def history_of(self, cost: Cost) -> History:
        """Return what is known of a job."""
        z90 = {basis: z90_of(self.errors[basis]) for basis in BASES}
        seen, architecture = self.seen[cost.kind], self.architecture[cost.family]
        return History(seen, architecture, self.cold, z90)

    def add(self, each: Submitted) -> None:
        """Learn from a job that has ended."""
        observed = each.seen()
        self.seen[each.kind.name].append(observed)
        self.architecture[each.kind.family].append(observed)
        self.cold.append(observed)
        found = each.prediction
        if found is not None:
            error = math.log(each.job.seconds / found.p50) / found.sigma
            self.errors[found.basis].append(error)


def replay(jobs: list[Submitted]) -> Replayed:
    """Predict each job at its submission; return the quality by basis."""
    known = Known()
    running: list[tuple[float, int]] = []
    outcomes: defaultdict[str, list[tuple[float, float, float]]] = defaultdict(list)
    peaks: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for number, each in enumerate(jobs):
        at = each.offset + each.job.submitted_at
        while running and running[0][0] <= at:
            known.add(jobs[heapq.heappop(running)[1]])
        past = known.history_of(each.cost)
        need = predict_memory(
            seen=past.seen, architecture=past.architecture, network_mib=each.kind.network_mib
        )
        if need is not None:
            peaks[need.basis].append((each.peak_mib, need.mib))
        found = each.prediction = predict_duration(each.cost, past)
        if found is not None:
            outcomes[found.basis].append((each.job.seconds, found.p50, found.p90))
        ended_at = each.job.ended_at
        if ended_at is not None:
            heapq.heappush(running, (each.offset + ended_at, number))
    return Replayed(
        {basis: time_quality(outcomes[basis]) for basis in BASES},
        {basis: memory_quality(peaks[basis]) for basis in BASES},
    )
