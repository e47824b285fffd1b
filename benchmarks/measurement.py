"""Measurements: two sides measured in turn several times; the result is the median of the ratios."""

import json
import operator
import os
import platform
import statistics
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

SIGNS = {"≥": operator.ge, ">": operator.gt, "≤": operator.le}


class MissingRequirement(Exception):
    """A benchmark needs something that is missing on this machine; the text names it."""


@dataclass(frozen=True)
class Measurement:
    """One row of the table."""

    name: str
    #: The quantity and the two sides: "images per second / bare PyTorch loop".
    ratio_of: str
    ratios: tuple[float, ...]
    #: The bound for the median, such as "≥ 0.95", "> 1" or "≤ 1.3".
    target: str
    ours: float
    theirs: float
    unit: str

    @property
    def median(self) -> float:
        """Return the median of the ratios."""
        return statistics.median(self.ratios)

    @property
    def is_met(self) -> bool:
        """Return whether the median meets the target."""
        sign, bound = self.target.split()
        return SIGNS[sign](self.median, float(bound))

    def row(self) -> str:
        """Return the measurement as a row of a Markdown table."""
        spread = f"{min(self.ratios):.3g}–{max(self.ratios):.3g}"
        mark = "met" if self.is_met else "**missed**"
        return (
            f"| {self.name} | {self.ratio_of} | {self.median:.3g} | {spread} | {len(self.ratios)} "
            f"| {self.target} | {mark} | {self.ours:.4g} / {self.theirs:.4g} {self.unit} |"
        )


HEAD = (
    "| measurement | ratio of | median | spread | n | target | | medians |\n"
    "|---|---|---|---|---|---|---|---|"
)


def in_turn(
    name: str,
    ratio_of: str,
    ours: Callable[[], float],
    theirs: Callable[[], float],
    *,
    target: str,
    unit: str,
    rounds: int = 5,
) -> Measurement:
    """Measure both sides `rounds` times in turn, so that a slow minute affects both."""
    pairs = []
    for turn in range(rounds):
        if turn % 2 == 0:
            our_value, their_value = ours(), theirs()
        else:
            their_value, our_value = theirs(), ours()
        pairs.append((our_value, their_value))
    return Measurement(
        name,
        ratio_of,
        tuple(our_value / their_value for our_value, their_value in pairs),
        target,
        statistics.median(our_value for our_value, _ in pairs),
        statistics.median(their_value for _, their_value in pairs),
        unit,
    )


def against_limit(
    name: str, values: list[float], limit: float, *, ratio_of: str, unit: str
) -> Measurement:
    """Compare measured values with a fixed limit that the median must not exceed."""
    ratios = tuple(value / limit for value in values)
    return Measurement(name, ratio_of, ratios, "≤ 1", statistics.median(values), limit, unit)


@cache
def commit() -> str:
    """Return the short name of the commit that is measured."""
    return subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()


def machine() -> str:
    """Return the processor, versions, commit and date of a measurement."""
    try:
        text = Path("/proc/cpuinfo").read_text()
        model = next(line for line in text.splitlines() if line.startswith("model name"))
        model = model.split(":", 1)[1].strip()
    except (OSError, StopIteration):
        model = platform.processor()
    day = datetime.now(UTC).date().isoformat()
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}, {commit()}, {day}"


def save(measurements: list[Measurement], path: Path) -> None:
    """Write the table and the raw ratios to a page."""
    lines = [
        f"# {path.stem}",
        "",
        f"`make bench ONLY={path.stem.rsplit('-', 3)[0]}`: {machine()}",
        "",
    ]
    lines += [HEAD, *(measurement.row() for measurement in measurements), ""]
    raw = {f"{m.name}; {m.ratio_of}": m.ratios for m in measurements}
    lines += ["<details><summary>raw ratios</summary>", "", "```json"]
    lines += [json.dumps(raw, indent=1), "```", "", "</details>", ""]
    path.write_text("\n".join(lines))
