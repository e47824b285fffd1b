"""How long a job takes, from attempts that have ended. Pure functions.

Three groups of attempts are looked at: of all kinds, of the same architecture, and of the same
kind. Each attempt says how long this job would take if it behaved like that attempt. The groups are
combined from the widest to the narrowest, each weighted by how well it is known.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, exp, log, sqrt
from statistics import median
from typing import Any, Literal

from shared.jobs.estimates.cost import Cost

Basis = Literal["cold", "architecture", "seen"]
BASES: tuple[Basis, ...] = ("cold", "architecture", "seen")
#: The standard normal distribution's value of its 90th percentile.
Z90 = 1.2816
#: The spread (σ of the logarithm of the time) that is assumed of each group, as if so many
#: attempts showed it; and the least.
ASSUMED_SPREAD = {"cold": 1.0, "architecture": 0.5, "seen": 0.25}
LEAST_SPREAD = {"cold": 0.6, "architecture": 0.3, "seen": 0.05}
ASSUMED_ATTEMPTS = 3
#: From a median absolute deviation to a standard deviation.
SIGMA_OF_MAD = 1.4826
#: Attempts that were alone on their device are preferred once there are so many.
MIN_ALONE = 3
#: So many errors have to be known before p90 is computed from them, and its bounds.
MIN_ERRORS, MIN_Z90, MAX_Z90 = 30, 0.3, 4.0
MIN_SECONDS, MAX_SECONDS = 0.1, 1e9
#: The least value of anything that is measured, such as the seconds of a pass.
LEAST = 1e-12


def plausible(value: Any) -> float | None:
    """Return a positive number of a plausible size; None for any other value.

    Others are damaged, or were measured by a clock that jumped.
    """
    if isinstance(value, bool) or not isinstance(value, float | int):
        return None
    return float(value) if LEAST <= value <= MAX_SECONDS else None


@dataclass(frozen=True, slots=True)
class Observation:
    """What an attempt that has ended says about times and memory."""

    kind: str
    family: str
    device_model: str
    #: Of the attempt's own kind.
    size: float
    #: A pass of one image; None if no epoch ended.
    pass_seconds: float | None
    #: Start, evaluation, writing; None if the attempt did not do all of the job.
    overhead_seconds: float | None = None
    #: How many of its epochs a job took that stopped early; 1 for all.
    fraction: float | None = None
    #: How many jobs used the device, itself included.
    sharers: int = 1
    peak_memory_mib: float | None = None
    #: The network's memory as it was predicted without running it.
    network_mib: float | None = None


@dataclass(frozen=True, slots=True)
class History:
    """The newest observations, by how much they have in common with a job."""

    seen: Sequence[Observation] = ()
    architecture: Sequence[Observation] = ()
    cold: Sequence[Observation] = ()
    #: By basis: how many σ above p50 the 90th percentile lies.
    z90: Mapping[str, float] = field(default_factory=dict[str, float])
    #: The models of the devices that the box has now; empty if unknown.
    models: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Duration:
    """The predicted time that a job computes on its devices, in seconds."""

    p50: float
    p90: float
    #: The narrowest group of attempts that it is based on, and their number.
    basis: Basis
    attempts: int
    #: The standard deviation of the logarithm of the time.
    sigma: float

    def as_json(self) -> dict[str, Any]:
        """Return it as it is stored and shown."""
        return {
            "basis": self.basis,
            "attempts": self.attempts,
            "p50": round(self.p50, 3),
            "p90": round(self.p90, 3),
            "sigma": round(self.sigma, 4),
        }


def predict_duration(cost: Cost, history: History) -> Duration | None:
    """Return how long a job takes; None without any attempt to learn from.

    Args:
        cost: of the job.
        history: what attempts have shown that ended before.
    """
    found: tuple[Basis, int] | None = None
    mean, variance = 0.0, 0.0
    for basis in BASES:
        logs = _logarithms(cost, basis, _comparable(getattr(history, basis), history.models))
        if not logs:
            continue
        centre, spread = _summary(basis, logs)
        if found is None:
            mean, of_mean = centre, spread**2 / len(logs)
        else:  # the precisions of two normal distributions add up
            precision = len(logs) / spread**2 + 1 / variance
            mean = (centre * len(logs) / spread**2 + mean / variance) / precision
            of_mean = 1 / precision
        variance = spread**2 + of_mean
        found = basis, len(logs)
    if found is None:
        return None
    basis, attempts = found
    sigma = sqrt(variance)
    z90 = history.z90.get(basis, Z90)
    p50 = _limited(mean, cost)
    return Duration(p50, max(p50, _limited(mean + z90 * sigma, cost)), basis, attempts, sigma)


def cold_duration(seconds: float, cost: Cost) -> Duration:
    """Return a duration that no attempt confirms.

    Args:
        seconds: as computed from the work of a step.
        cost: of the job.
    """
    sigma, mean = ASSUMED_SPREAD["cold"], log(max(MIN_SECONDS, min(MAX_SECONDS, seconds)))
    p90 = _limited(mean + Z90 * sigma, cost)
    return Duration(_limited(mean, cost), p90, "cold", 0, sigma)


def predict_epoch(cost: Cost, history: History) -> float | None:
    """Return the seconds of an epoch, from attempts of the same kind; None without any."""
    rows = _comparable(history.seen, history.models)
    times = [row.pass_seconds for row in rows if row.pass_seconds is not None]
    return cost.passes_per_epoch * median(times) if times else None


def z90_of(errors: Sequence[float]) -> float:
    """Return how many σ above p50 the time lies that 90 % of the jobs did not exceed.

    Args:
        errors: (log of the time − log of p50) / σ of jobs that have ended.
    """
    if len(errors) < MIN_ERRORS:
        return Z90
    ordered = sorted(errors)
    rank = min(len(ordered), ceil(0.9 * (len(ordered) + 1)))
    return max(MIN_Z90, min(MAX_Z90, ordered[rank - 1]))


def _limited(logarithm: float, cost: Cost) -> float:
    seconds = exp(max(log(MIN_SECONDS), min(log(MAX_SECONDS), logarithm)))
    return min(seconds, cost.limit_seconds)


def _comparable(rows: Sequence[Observation], models: frozenset[str]) -> list[Observation]:
    """Return the attempts on devices of the box, and those without neighbours where possible."""
    timed = [row for row in rows if row.pass_seconds is not None]
    here = [row for row in timed if row.device_model in models] or timed
    alone = [row for row in here if row.sharers <= 1]
    return alone if len(alone) >= MIN_ALONE else here


def _logarithms(cost: Cost, basis: Basis, rows: Sequence[Observation]) -> list[float]:
    """Return the logarithms of what the job would take; one for each kind unless it is its own."""
    overhead = _median([row.overhead_seconds for row in rows], 0.0)
    fraction = _median([row.fraction for row in rows], 1.0)
    by_kind: defaultdict[str, list[float]] = defaultdict(list)
    for row in rows:
        assert row.pass_seconds is not None
        scale = 1.0 if row.kind == cost.kind else cost.size / row.size
        computing = cost.passes * row.pass_seconds * scale
        computing *= fraction if row.fraction is None else row.fraction
        seconds = computing + (overhead if row.overhead_seconds is None else row.overhead_seconds)
        by_kind[row.kind].append(log(max(MIN_SECONDS, min(MAX_SECONDS, seconds))))
    if basis == "seen":
        return by_kind[cost.kind]
    return [median(values) for values in by_kind.values()]


def _summary(basis: Basis, logs: Sequence[float]) -> tuple[float, float]:
    """Return the median and the spread of logarithms."""
    centre = median(logs)
    spread = SIGMA_OF_MAD * median(abs(value - centre) for value in logs)
    weighted = len(logs) * spread**2 + ASSUMED_ATTEMPTS * ASSUMED_SPREAD[basis] ** 2
    return centre, max(LEAST_SPREAD[basis], sqrt(weighted / (len(logs) + ASSUMED_ATTEMPTS)))


def _median(values: Sequence[float | None], default: float) -> float:
    known = [value for value in values if value is not None]
    return median(known) if known else default


@dataclass(frozen=True, slots=True)
class Remaining:
    """The predicted time that a running job still takes, in seconds."""

    p50: float
    p90: float


#: The range of an estimate from a job's own speed, once an epoch has ended.
OWN_SPEED_P90 = 1.1


def predict_remaining(
    progress: Any, *, elapsed_seconds: float, p50: float, p90: float
) -> Remaining:
    """Return how long a running job still takes; infinite if unknown.

    Args:
        progress: as the job's heartbeat reports it; anything, of a damaged row.
        elapsed_seconds: since the job started, in all its attempts.
        p50: as predicted when it was submitted; infinite if unknown.
        p90: in the same way.
    """
    elapsed = max(0.0, elapsed_seconds)
    # Past its prediction a job takes as long again as a tenth of what it took.
    ahead = Remaining(max(p50 - elapsed, 0.1 * elapsed), max(p90 - elapsed, 0.2 * elapsed))
    eta, epoch = _number(progress, "eta_seconds"), _number(progress, "epoch")
    if eta is None:
        return ahead
    if epoch is not None and epoch <= 1 and p50 < float("inf"):
        # Its own speed is not known yet; the first steps are slower than the rest.
        return Remaining(min(eta, ahead.p50), max(min(eta, ahead.p90), min(eta, ahead.p50)))
    return Remaining(eta, eta * OWN_SPEED_P90)


def _number(progress: Any, name: str) -> float | None:
    value = progress.get(name) if isinstance(progress, dict) else None
    return 0.0 if value == 0 else plausible(value)
