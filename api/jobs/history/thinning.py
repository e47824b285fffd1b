"""Thinning of a long series such that a chart of it still shows every extreme value."""

import math
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Protocol, TypeVar


class _Point(Protocol):
    @property
    def value(self) -> float: ...


Point = TypeVar("Point", bound=_Point)


def thin(points: Iterable[Point], count: int, about: int | None) -> Iterator[Point]:
    """Yield about so many points of a series, in their order.

    The series is divided into equal parts, and of each part the first lowest, the first highest and
    the first point that is not finite are kept, so no spike and no gap is lost. The first and the
    last point are kept too: with `about` below 4 there are up to 5 points.

    Args:
        points: the series; read once, and not kept in memory.
        count: the number of points.
        about: 2 or more; None for all points.
    """
    if about is None or count <= about:
        yield from points
        return
    numbered = enumerate(points)
    last = next(numbered, None)
    if last is None:
        return
    yield last[1]
    parts, newest = max(1, (about - 2) // 2), 0
    for _, part in groupby(numbered, key=lambda pair: (pair[0] - 1) * parts // (count - 1)):
        kept: dict[str, tuple[int, Point]] = {}
        for pair in part:
            _keep(kept, last := pair)
        for number, point in sorted(set(kept.values()), key=lambda pair: pair[0]):
            newest = number
            yield point
    if last[0] > newest:
        yield last[1]


def _keep(kept: dict[str, tuple[int, Point]], pair: tuple[int, Point]) -> None:
    """Keep a point of a part if it is the lowest, the highest or not finite so far."""
    value = pair[1].value
    if not math.isfinite(value):
        kept.setdefault("not finite", pair)
        return
    if "lowest" not in kept or value < kept["lowest"][1].value:
        kept["lowest"] = pair
    if "highest" not in kept or value > kept["highest"][1].value:
        kept["highest"] = pair
