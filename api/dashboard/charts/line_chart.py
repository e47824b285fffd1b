"""A chart of lines over epochs, as positions in an SVG."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from api.dashboard.charts.labels import letter_heights, tick_texts
from api.dashboard.charts.scale import Scale, linear, logarithmic, of_epochs
from api.dashboard.formats import number, short

WIDTH, HEIGHT = 520, 220
LEFT, RIGHT, TOP, BOTTOM = 66, 12, 20, 26


@dataclass(frozen=True)
class Line:
    """A series of a chart: `style` is the CSS class of its color and dash."""

    label: str
    style: str
    #: Epochs and values; a value may be NaN or infinite.
    points: list[tuple[float, float]]


@dataclass(frozen=True)
class Band:
    """The area between two lines: epochs with the lower and the upper value; NaN is a gap."""

    style: str
    points: list[tuple[float, float, float]]


@dataclass(frozen=True)
class Best:
    """The best point of a line."""

    label: str
    epoch: float
    value: float


@dataclass(frozen=True)
class Subject:
    """What the lines of all charts of a job share."""

    last_epoch: int
    #: More than 0 if only later epochs are drawn.
    first_epoch: int = 0
    #: Name, first and last epoch of each stage, where there are several.
    stages: list[tuple[str, float, float]] = field(default_factory=list)
    #: Number and first epoch of each attempt after the first.
    attempts: list[tuple[int, float]] = field(default_factory=list)
    best_epoch: float | None = None
    why_empty: str = ""


@dataclass(frozen=True)
class LineChart:
    """A chart with every position computed, for the template."""

    title: str
    lines: list[dict[str, object]]
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    bands: list[dict[str, object]]
    attempts: list[tuple[float, int]]
    best_x: float | None
    rings: list[dict[str, object]]
    #: Points without a place: not finite, or not positive on a logarithmic axis.
    marks: list[dict[str, object]]
    note: str
    is_empty: bool
    why_empty: str
    #: Between which the lines are drawn.
    epochs: tuple[float, float]
    #: Areas behind the lines, with their styles and paths.
    areas: list[tuple[str, str]] = field(default_factory=list)
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


def draw(
    title: str,
    lines: Sequence[Line],
    subject: Subject,
    *,
    bests: Sequence[Best] = (),
    areas: Sequence[Band] = (),
    is_log: bool = False,
    is_fraction: bool = False,
) -> LineChart:
    """Return a chart.

    Args:
        title: of the chart.
        lines: to draw.
        subject: the epochs, stages and attempts.
        bests: the best points of lines.
        areas: bands behind the lines.
        is_log: whether the vertical axis is logarithmic.
        is_fraction: whether the values are fractions, shown in percent.
    """
    values = [value for line in lines for _, value in line.points]
    values += [value for area in areas for _, low, high in area.points for value in (low, high)]
    scale = logarithmic(values) if is_log else linear(values)
    epochs = of_epochs(subject.last_epoch, first=subject.first_epoch)
    x, y = _x(epochs), _y(scale)
    marks = [mark for line in lines for mark in _marks(line, scale, x)]

    def is_shown(epoch: float | None) -> bool:
        return epoch is not None and epochs.low <= epoch <= epochs.high

    drawn = [_drawn(line, scale, x, y) for line in lines]
    texts = tick_texts(scale.ticks, is_fraction=is_fraction)
    heights = letter_heights([_end(each) for each in drawn], HEIGHT - BOTTOM)
    return LineChart(
        title=title,
        lines=[{**each, "letter_y": at} for each, at in zip(drawn, heights, strict=True)],
        x_ticks=[(x(tick), short(tick)) for tick in epochs.ticks],
        y_ticks=[(y(tick), text) for tick, text in zip(scale.ticks, texts, strict=True)],
        bands=[
            {"x": x(first), "width": x(last) - x(first), "name": name, "is_odd": index % 2}
            for index, (name, first, last) in enumerate(subject.stages)
        ],
        attempts=[(x(epoch), number_) for number_, epoch in subject.attempts],
        best_x=x(subject.best_epoch) if is_shown(subject.best_epoch) else None,
        rings=[
            {"x": x(best.epoch), "y": y(best.value), "label": best.label}
            for best in bests
            if is_shown(best.epoch) and scale.fraction(best.value) is not None
        ],
        marks=marks,
        note=_note(lines, scale),
        is_empty=not values,
        why_empty=subject.why_empty,
        epochs=(epochs.low, epochs.high),
        areas=[(area.style, _area(area, scale, x, y)) for area in areas],
    )


def _end(line: dict[str, Any]) -> tuple[float, float] | None:
    """Return where the letter of a line belongs; lines below a mean have none."""
    return None if " raw" in line["style"] else line["end"]


def _x(epochs: Scale):  # noqa: ANN202 - a function of a number
    width = WIDTH - LEFT - RIGHT
    return lambda epoch: round(LEFT + width * (epochs.fraction(epoch) or 0.0), 1)


def _y(scale: Scale):  # noqa: ANN202 - a function of a number
    height = HEIGHT - TOP - BOTTOM
    return lambda value: round(TOP + height * (1 - (scale.fraction(value) or 0.0)), 1)


def _drawn(line: Line, scale: Scale, x, y) -> dict[str, Any]:  # noqa: ANN001
    """Return the path of a line, with a gap at every value that has no place."""
    parts: list[list[str]] = [[]]
    for epoch, value in line.points:
        if scale.fraction(value) is None:
            parts.append([])
        else:
            parts[-1].append(f"{x(epoch)},{y(value)}")
    path = " ".join(f"M{part[0]}L{' '.join(part[1:])}" for part in parts if len(part) > 1)
    single = [part[0].split(",") for part in parts if len(part) == 1]
    drawn = next((part[-1].split(",") for part in reversed(parts) if part), None)
    end = None if drawn is None else (float(drawn[0]), float(drawn[1]))
    return {"label": line.label, "style": line.style, "path": path, "dots": single, "end": end}


def _area(area: Band, scale: Scale, x, y) -> str:  # noqa: ANN001
    """Return the path of a band: its upper line to the right, its lower line back."""
    parts: list[list[tuple[float, float, float]]] = [[]]
    for epoch, low, high in area.points:
        if scale.fraction(low) is None or scale.fraction(high) is None:
            parts.append([])
        else:
            parts[-1].append((epoch, low, high))
    paths = []
    for part in parts:
        upper = [f"{x(epoch)},{y(high)}" for epoch, _, high in part]
        lower = [f"{x(epoch)},{y(low)}" for epoch, low, _ in reversed(part)]
        if len(part) > 1:
            paths.append(f"M{' '.join(upper + lower)}Z")
    return " ".join(paths)


def _marks(line: Line, scale: Scale, x) -> list[dict[str, object]]:  # noqa: ANN001
    """Return marks at the edge of the chart for values that have no place in it."""
    marks = []
    for epoch, value in line.points:
        if scale.fraction(value) is None:
            glyph = "✕" if math.isnan(value) else "▲" if value > 0 else "▼"
            text = f"{line.label} is {number(value)} at epoch {number(epoch)}"
            at = HEIGHT - BOTTOM - 4 if glyph == "▼" else TOP + 10
            marks.append({"x": x(epoch), "y": at, "glyph": glyph, "text": text})
    return marks


def _note(lines: Sequence[Line], scale: Scale) -> str:
    """Return what the chart leaves out, as a sentence."""
    without = [
        (line.label, epoch, value)
        for line in lines
        for epoch, value in line.points
        if scale.fraction(value) is None
    ]
    if not without:
        return ""
    label, epoch, value = min(without, key=lambda each: each[1])
    more = f", and {len(without) - 1} more" if len(without) > 1 else ""
    return f"Not shown: {label} is {number(value)} at epoch {number(epoch)}{more}."


def sparkline(values: Sequence[float], *, width: int = 96, height: int = 22) -> str:
    """Return the points of a small line without axes; values that are not finite are left out."""
    finite = [(index, value) for index, value in enumerate(values) if math.isfinite(value)]
    if len(finite) < 2:
        return ""
    low, high = min(v for _, v in finite), max(v for _, v in finite)
    spread, last = (high - low) or 1.0, len(values) - 1
    return " ".join(
        f"{2 + (width - 4) * index / last:.1f},{2 + (height - 4) * (high - value) / spread:.1f}"
        for index, value in finite
    )
