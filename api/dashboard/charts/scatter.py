"""The best value of each job against its run time, as positions in an SVG."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from api.dashboard.charts.scale import linear
from api.dashboard.formats import duration, label, metric, short

WIDTH, HEIGHT = 480, 240
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 26, 46
#: Seconds of a unit, its name, and from how many seconds on the axis has it.
UNITS = ((3600.0, "hours", 3 * 3600.0), (60.0, "minutes", 180.0), (1.0, "seconds", 0.0))
Json = dict[str, Any]


@dataclass(frozen=True)
class Spot:
    """A job in the chart."""

    x: float
    y: float
    job: str
    rank: int
    text: str
    #: Whether no job is better in less time.
    is_front: bool


@dataclass(frozen=True)
class Scatter:
    """The chart with every position computed, for the template."""

    title: str
    x_label: str
    y_label: str
    spots: list[Spot]
    front: str
    sentence: str
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


def draw_scatter(entries: Sequence[Json], declared: Json) -> Scatter | None:
    """Return the chart of a leaderboard's entries; None for fewer than two with a run time.

    Args:
        entries: of the leaderboard, the best first.
        declared: the metric that ranks.
    """
    timed = [each for each in entries if each["seconds"]]
    if len(timed) < 2:
        return None
    name = declared["name"]
    longest = max(each["seconds"] for each in timed)
    unit, unit_name, _ = next(each for each in UNITS if longest >= each[2])
    horizontal = linear([0.0, *(each["seconds"] / unit for each in timed)], count=4)
    vertical = linear([each["value"] for each in timed], count=4)

    def x(value: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (horizontal.fraction(value) or 0.0), 1)

    def y(value: float) -> float:
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (1 - (vertical.fraction(value) or 0.0)), 1)

    front = _front(timed)
    spots = [
        Spot(
            x=x(each["seconds"] / unit),
            y=y(each["value"]),
            job=each["job"],
            rank=each["rank"],
            text=f"{each['rank']}. {label(each)}: {metric(each['value'], name)} "
            f"in {duration(each['seconds'])}",
            is_front=each["job"] in front,
        )
        for each in timed
    ]
    line = sorted((spot.x, spot.y) for spot in spots if spot.is_front)
    return Scatter(
        title=f"{name} and run time",
        x_label=f"run time in {unit_name}",
        y_label=name,
        spots=spots,
        front="M" + "L".join(f"{left},{top}" for left, top in line),
        sentence=_sentence(timed, front),
        x_ticks=[(x(tick), short(tick)) for tick in horizontal.ticks],
        y_ticks=[(y(tick), _tick(tick, name)) for tick in vertical.ticks],
    )


def _front(timed: Sequence[Json]) -> set[str]:
    """Return the jobs of which no better one took less time, or an equal one less."""
    found, best_rank = set[str](), None
    for each in sorted(timed, key=lambda each: (each["seconds"], each["rank"])):
        if best_rank is None or each["rank"] < best_rank:
            found.add(each["job"])
            best_rank = each["rank"]
    return found


def _sentence(timed: Sequence[Json], front: set[str]) -> str:
    fast = min(timed, key=lambda each: each["seconds"])
    best = timed[0]
    if best["job"] == fast["job"]:
        return "The best of these jobs is also the shortest."
    share = best["seconds"] / fast["seconds"]
    return (
        f"No job is better in less time than {_count(len(front))}, joined by the line. "
        f"The best ran {short(share)} times as long as the shortest."
    )


def _count(number: int) -> str:
    return f"the {number} filled points" if number > 1 else "the filled point"


def _tick(value: float, name: str) -> str:
    text = metric(value, name)
    return text.replace(".00 %", " %")
