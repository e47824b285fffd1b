"""How a figure is taken: the two sides in turn, several times, and the median of the ratios."""

import json
import operator
import os
import platform
import statistics
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

SIGNS = {"≥": operator.ge, ">": operator.gt, "≤": operator.le}


class NotHere(Exception):
    """A benchmark needs something that this machine has not; the text says what."""


@dataclass(frozen=True)
class Figure:
    """One line of the table."""

    name: str
    #: What is compared, in words: "job / bare loop, images per second".
    of: str
    ratios: tuple[float, ...]
    #: "≥ 0.95", "> 1", "≤ 1.3": what the figure is held to.
    target: str
    ours: float
    theirs: float
    unit: str

    @property
    def median(self) -> float:
        """The figure."""
        return statistics.median(self.ratios)

    @property
    def is_met(self) -> bool:
        """Whether the target is reached."""
        sign, bound = self.target.split()
        return SIGNS[sign](self.median, float(bound))

    def row(self) -> str:
        """The figure as a line of a Markdown table."""
        spread = f"{min(self.ratios):.3g}–{max(self.ratios):.3g}"
        mark = "met" if self.is_met else "**missed**"
        return (
            f"| {self.name} | {self.of} | {self.median:.3g} | {spread} | {len(self.ratios)} "
            f"| {self.target} | {mark} | {self.ours:.4g} / {self.theirs:.4g} {self.unit} |"
        )


HEAD = (
    "| figure | ratio of | median | spread | n | target | | medians |\n"
    "|---|---|---|---|---|---|---|---|"
)


def in_turn(
    name: str,
    of: str,
    ours: Callable[[], float],
    theirs: Callable[[], float],
    *,
    target: str,
    unit: str,
    rounds: int = 5,
) -> Figure:
    """Measure both sides `rounds` times in turn, so that a slow minute hits both."""
    pairs = []
    for turn in range(rounds):
        first, second = (ours, theirs) if turn % 2 == 0 else (theirs, ours)
        one, two = first(), second()
        pairs.append((one, two) if turn % 2 == 0 else (two, one))
    return Figure(
        name,
        of,
        tuple(one / two for one, two in pairs),
        target,
        statistics.median(one for one, _ in pairs),
        statistics.median(two for _, two in pairs),
        unit,
    )


def against_limit(name: str, values: list[float], limit: float, *, of: str, unit: str) -> Figure:
    """Measured values against a fixed limit that they may reach and not exceed."""
    ratios = tuple(value / limit for value in values)
    return Figure(name, of, ratios, "≤ 1", statistics.median(values), limit, unit)


def machine() -> str:
    """Where and with what the figures were taken."""
    try:
        text = Path("/proc/cpuinfo").read_text()
        model = next(line for line in text.splitlines() if line.startswith("model name"))
        model = model.split(":", 1)[1].strip()
    except (OSError, StopIteration):
        model = platform.processor()
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    day = datetime.now(UTC).date().isoformat()
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}, {commit}, {day}"


def save(figures: list[Figure], path: Path) -> None:
    """Write the table and the raw ratios."""
    lines = [f"# {path.stem}", "", f"`make bench ONLY={path.stem.split('-')[0]}`: {machine()}", ""]
    lines += [HEAD, *(one.row() for one in figures), ""]
    raw = {f"{one.name}; {one.of}": one.ratios for one in figures}
    lines += ["<details><summary>raw ratios</summary>", "", "```json"]
    lines += [json.dumps(raw, indent=1), "```", "", "</details>", ""]
    path.write_text("\n".join(lines))
