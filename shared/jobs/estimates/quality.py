"""How good predictions were: what was predicted at a submission against what was measured.

Each prediction was made from attempts that ended before, and is stored with the outcome.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import nan, sqrt
from statistics import median

import sqlalchemy as sa

from shared import tables
from shared.jobs.estimates.durations import plausible

#: How many of the newest observations are read.
MAX_ROWS = 2_000
#: Of a 95 % interval.
Z95 = 1.96
KNOWN, UNKNOWN = ("seen", "architecture", "cold"), "unknown"


@dataclass(frozen=True, slots=True)
class TimeQuality:
    """The quality of predicted times of one basis."""

    jobs: int
    #: The fraction of the jobs that took at most p50, or p90.
    p50_coverage: float
    p90_coverage: float
    #: The median of |time / p50 − 1|.
    median_error: float


@dataclass(frozen=True, slots=True)
class MemoryQuality:
    """The quality of predicted memory of one basis."""

    jobs: int
    #: The fraction of the jobs that needed more, with its 95 % interval (Wilson).
    exceeded: float
    lower: float
    upper: float
    #: The median of predicted / needed memory.
    median_ratio: float


@dataclass(frozen=True, slots=True)
class Quality:
    """The quality of the newest predictions by their basis; `unknown` is without any."""

    times: dict[str, TimeQuality]
    memory: dict[str, MemoryQuality]


def read_quality(connection: sa.Connection) -> Quality:
    """Return the quality of the newest predictions."""
    rows = tables.observations.c
    query = sa.select(
        rows.basis,
        rows.seconds,
        rows.predicted_p50,
        rows.predicted_p90,
        rows.memory_basis,
        rows.peak_memory_mib,
        rows.predicted_memory_mib,
    ).order_by(rows.id.desc())
    times: defaultdict[str, list[tuple[float, float, float]]] = defaultdict(list)
    memory: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    unknown = 0
    for row in connection.execute(query.limit(MAX_ROWS)):
        seconds, p50, p90 = map(plausible, (row.seconds, row.predicted_p50, row.predicted_p90))
        peak, need = map(plausible, (row.peak_memory_mib, row.predicted_memory_mib))
        if seconds is not None:
            if row.basis in KNOWN and p50 is not None and p90 is not None:
                times[row.basis].append((seconds, p50, p90))
            else:
                unknown += 1
        if row.memory_basis in KNOWN and peak is not None and need is not None:
            memory[row.memory_basis].append((peak, need))
    found = {basis: time_quality(times[basis]) for basis in KNOWN}
    found[UNKNOWN] = TimeQuality(unknown, nan, nan, nan)
    return Quality(found, {basis: memory_quality(memory[basis]) for basis in KNOWN})


def time_quality(rows: Sequence[tuple[float, float, float]]) -> TimeQuality:
    """Return the quality of predicted times, from (seconds, p50, p90) of each job."""
    if not rows:
        return TimeQuality(0, nan, nan, nan)
    count = len(rows)
    return TimeQuality(
        count,
        sum(seconds <= p50 for seconds, p50, _ in rows) / count,
        sum(seconds <= p90 for seconds, _, p90 in rows) / count,
        median(abs(seconds / p50 - 1) for seconds, p50, _ in rows),
    )


def memory_quality(rows: Sequence[tuple[float, float]]) -> MemoryQuality:
    """Return the quality of predicted memory, from (needed, predicted) of each job."""
    if not rows:
        return MemoryQuality(0, nan, nan, nan, nan)
    exceeded = sum(peak > need for peak, need in rows)
    lower, upper = wilson(exceeded, len(rows))
    ratio = median(need / peak for peak, need in rows)
    return MemoryQuality(len(rows), exceeded / len(rows), lower, upper, ratio)


def wilson(hits: int, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a fraction (Wilson 1927), for a count of at least 1."""
    share = hits / count
    scale = 1 + Z95**2 / count
    centre = (share + Z95**2 / (2 * count)) / scale
    half = Z95 * sqrt(share * (1 - share) / count + Z95**2 / (4 * count**2)) / scale
    return max(0.0, centre - half), min(1.0, centre + half)
