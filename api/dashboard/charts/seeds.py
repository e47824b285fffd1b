"""The mean of equal trainings with different seeds, and how far they lie apart."""

import math
import statistics
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Points = Sequence[tuple[float, float]]

#: The field in which repetitions of an experiment differ.
SEED = "/seed"
#: From so many seeds on, the band is a standard deviation to both sides; below, all values.
MIN_FOR_DEVIATION = 3


@dataclass(frozen=True)
class Spread:
    """The mean of several values and the ends of its band."""

    mean: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """Return the mean and the band: ± the sample standard deviation, or all of two values.

    A value that is not finite makes all three NaN.
    """
    if not all(map(math.isfinite, values)):
        return Spread(math.nan, math.nan, math.nan)
    mean = statistics.fmean(values)
    if len(values) < MIN_FOR_DEVIATION:
        return Spread(mean, min(values), max(values))
    deviation = statistics.stdev(values)
    return Spread(mean, mean - deviation, mean + deviation)


def groups(jobs: Sequence[str], differences: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Return the jobs whose specifications are equal except for the seed, two or more at a time.

    Args:
        jobs: ids in their order.
        differences: of their specifications, as the API compares them.
    """
    fields = [each["values"] for each in differences if each["pointer"] != SEED]
    found: list[tuple[list[Any], list[str]]] = []
    for job in jobs:
        # A missing field differs from every value, also from null.
        key = [(job in values, values.get(job)) for values in fields]
        members = next((members for other, members in found if other == key), None)
        if members is None:
            found.append((key, [job]))
        else:
            members.append(job)
    return [members for _, members in found if len(members) > 1]


def mean_line(lines: Sequence[Points]) -> list[tuple[float, Spread]]:
    """Return the spread of several lines at the epochs that all of them have reached.

    A line without a point at an epoch, because it is thinned, has the value between its neighbors.

    Args:
        lines: epochs and values; with increasing epochs.
    """
    if not all(lines):
        return []
    first, last = max(line[0][0] for line in lines), min(line[-1][0] for line in lines)
    epochs = sorted({epoch for line in lines for epoch, _ in line if first <= epoch <= last})
    return [(epoch, spread([_at(line, epoch) for line in lines])) for epoch in epochs]


def _at(line: Points, epoch: float) -> float:
    index = bisect_left(line, epoch, key=lambda point: point[0])
    after, value = line[index]
    if after == epoch:
        return value
    before, earlier = line[index - 1]
    return earlier + (value - earlier) * (epoch - before) / (after - before)
