"""Outlines of very long series: the extremes of their blocks, kept in memory and continued.

Reading 100,000 values takes much longer than drawing them, and the page of a running job is drawn
every second. An outline is read once; later only what was recorded since is read.
"""

import math
import threading
from array import array
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from shared.jobs import series as stored_series
from shared.jobs.series import Series, Value, Window

#: Points of a block.
BLOCK = 32
#: Outlines in memory. One of 100,000 points takes about 0.1 MB.
MAX_OUTLINES = 150


@dataclass
class Outline:
    """The extremes of the whole blocks at the beginning of a series."""

    steps: "array[int]" = field(default_factory=lambda: array("q"))
    values: "array[float]" = field(default_factory=lambda: array("d"))
    #: The last point of the last whole block. A step is not negative.
    last_step: int = -1
    last_id: int | None = None

    def copy(self) -> "Outline":
        """Return a copy to change while other threads read this outline."""
        return Outline(self.steps[:], self.values[:], self.last_step, self.last_id)

    def add(self, steps: list[int], values: list[float]) -> None:
        """Move all whole blocks but the last points from these lists into the outline."""
        end = (len(steps) - 1) // BLOCK * BLOCK
        for start in range(0, end, BLOCK):
            block = values[start : start + BLOCK]
            kept = extremes(block)
            if not self.steps:
                kept = sorted({0, *kept})
            self.steps.extend([steps[start + index] for index in kept])
            self.values.extend([block[index] for index in kept])
        if end > 0:
            self.last_step = steps[end - 1]
            del steps[:end], values[:end]


class Outlines:
    """The outlines of the series that were read last."""

    def __init__(self) -> None:
        self._known = OrderedDict[tuple[str, str, str], Outline]()
        self._lock = threading.Lock()

    def read(self, connection: sa.Connection, job_id: str, series: Series) -> list[Value]:
        """Return the extremes of each block of a series, its first point and its last points.

        Args:
            connection: for reading.
            job_id: of the job.
            series: of the job.
        """
        key = (job_id, series.name, series.stage)
        outline = self._known.get(key)
        if outline is None or outline.last_id != stored_series.find_id(
            connection, job_id, series, outline.last_step
        ):
            outline = Outline()  # not read so far, or recorded again by a resumed attempt
        outline, steps, values = outline.copy(), list[int](), list[float]()
        chunks = stored_series.list_chunks(
            connection, job_id, series, window=Window(after_step=outline.last_step)
        )
        for new_steps, new_values in chunks:
            steps += new_steps
            values += new_values
            outline.add(steps, values)
        outline.last_id = stored_series.find_id(connection, job_id, series, outline.last_step)
        if outline.last_id is not None:
            self._keep(key, outline)
        points = [*map(Value, outline.steps, outline.values)]
        return [*points, *map(Value, steps, values)]

    def _keep(self, key: tuple[str, str, str], outline: Outline) -> None:
        with self._lock:
            self._known[key] = outline
            self._known.move_to_end(key)
            while len(self._known) > MAX_OUTLINES:
                self._known.popitem(last=False)


def is_long_enough(series: Series, about: int) -> bool:
    """Return whether each part of a series that is thinned to about so many points has blocks."""
    return about * BLOCK <= series.count


def extremes(values: Sequence[float]) -> list[int]:
    """Return where the first lowest, the first highest and the first not finite value are."""
    if math.isfinite(sum(values)):
        return sorted({values.index(min(values)), values.index(max(values))})
    finite = [value for value in values if math.isfinite(value)]
    kept = {values.index(each) for each in (min(finite), max(finite))} if finite else set[int]()
    return sorted({*kept, *[i for i, value in enumerate(values) if not math.isfinite(value)][:1]})
