"""A plot as numbers: lines over an axis, which the catalogue's pages draw."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

#: Significant digits that a picture can show.
DIGITS = 4


@dataclass(frozen=True)
class Line:
    """A line of a plot; coordinates may be NaN where it has a gap."""

    label: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True)
class Plot:
    """A plot of a method."""

    title: str
    x_label: str
    y_label: str
    lines: tuple[Line, ...]
    is_x_log: bool = False
    is_y_log: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the plot as JSON values, rounded to what a picture can show."""
        lines = [
            {"label": line.label, "x": _rounded(line.x), "y": _rounded(line.y)}
            for line in self.lines
        ]
        return {**asdict(self), "lines": lines}


def _rounded(values: Iterable[float]) -> list[float]:
    return [float(f"{float(value):.{DIGITS}g}") for value in values]


def grid(low: float, high: float, count: int) -> list[float]:
    """Return `count` equally spaced values from `low` to `high`."""
    return [low + (high - low) * index / (count - 1) for index in range(count)]
