"""A plot of the catalogue as positions in an SVG: any lines over any axis."""

from dataclasses import dataclass
from typing import Any

from api.dashboard.charts.scale import Scale, linear, logarithmic
from api.dashboard.formats import short

WIDTH, HEIGHT = 520, 260
LEFT, RIGHT, TOP, BOTTOM = 64, 28, 12, 44
#: Colors of lines; a plot has no more lines.
COLORS = 5
Json = dict[str, Any]


@dataclass(frozen=True)
class PlotChart:
    """A plot with every position computed, for the template."""

    title: str
    x_label: str
    y_label: str
    lines: list[Json]
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


def draw_plot(plot: Json) -> PlotChart:
    """Return a plot of the API as a chart."""
    lines = plot["lines"]
    horizontal = _scale([x for line in lines for x in line["x"]], is_log=plot["is_x_log"])
    vertical = _scale([y for line in lines for y in line["y"]], is_log=plot["is_y_log"])
    return PlotChart(
        title=plot["title"],
        x_label=plot["x_label"],
        y_label=plot["y_label"],
        lines=[
            {
                "label": line["label"],
                "style": f"c{index % COLORS + 1}",
                "path": _path(line, horizontal, vertical),
            }
            for index, line in enumerate(lines)
        ],
        x_ticks=[(_x(horizontal, tick), short(tick)) for tick in horizontal.ticks],
        y_ticks=[(_y(vertical, tick), short(tick)) for tick in vertical.ticks],
    )


def _scale(values: list[float], *, is_log: bool) -> Scale:
    return logarithmic(values) if is_log else linear(values)


def _x(scale: Scale, value: float) -> float:
    return round(LEFT + (WIDTH - LEFT - RIGHT) * (scale.fraction(value) or 0.0), 1)


def _y(scale: Scale, value: float) -> float:
    return round(TOP + (HEIGHT - TOP - BOTTOM) * (1 - (scale.fraction(value) or 0.0)), 1)


def _path(line: Json, horizontal: Scale, vertical: Scale) -> str:
    """Return the path of a line; a value without a place, such as 0 on a logarithm, is a gap."""
    parts: list[list[str]] = [[]]
    for x, y in zip(line["x"], line["y"], strict=True):
        if horizontal.fraction(x) is None or vertical.fraction(y) is None:
            parts.append([])
        else:
            parts[-1].append(f"{_x(horizontal, x)},{_y(vertical, y)}")
    return " ".join(f"M{part[0]}L{' '.join(part[1:])}" for part in parts if len(part) > 1)
