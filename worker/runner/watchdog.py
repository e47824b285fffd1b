"""Notices a training that stands still: its step takes so long that it will not end any more.

Only the time in which `fit` works on a step counts. Loading, validation, evaluation, and whatever
is done with a report, such as waiting for the disk or the database, may take as long as they like.
"""

import faulthandler
import os
import statistics
import time
from collections import deque
from collections.abc import Iterable, Iterator

import structlog

from worker.assignment import ExitCode
from worker.runner.observed_duration import ObservedDuration
from worker.training.reports import EpochEnded, Report, StageStarted, Stepped

log = structlog.get_logger()

#: A step stands still once it takes longer than this and than so many usual ones.
LEAST_SECONDS = 600.0
USUAL_STEPS = 20
#: What it is given after its stacks are in the log.
LAST_SECONDS = 30.0
#: The usual step is the median of so many.
REMEMBERED = 101


class Watchdog:
    """Watches the steps on the training's thread; the pulse looks at it from its own."""

    def __init__(self) -> None:
        #: The number of the step at work; None between steps.
        self._step: int | None = None
        #: What the stage's steps took; its first is not judged, since none is known yet.
        self._durations: deque[float] = deque(maxlen=REMEMBERED)
        self._lasting = ObservedDuration()
        #: The step whose stacks are in the log, and for how long it had lasted then.
        self._told: tuple[int | None, float] = (None, 0.0)

    def watch(self, reports: Iterable[Report]) -> Iterator[Report]:
        """The same reports, while the steps between them are timed."""
        began, steps = 0.0, 0
        try:
            for report in reports:
                self._step = None
                if isinstance(report, Stepped):
                    self._durations.append(time.monotonic() - began)
                elif isinstance(report, StageStarted):
                    self._durations.clear()
                yield report
                if _precedes_a_step(report):
                    began, steps = time.monotonic(), steps + 1
                    self._step = steps
        finally:
            self._step = None

    def look(self) -> None:
        """Say in the log that a step stands still, and end the process if it stays so."""
        step = self._step
        seconds = self._lasting.observe(step)
        durations = list(self._durations)
        if seconds < LEAST_SECONDS or not durations:
            return
        usual_seconds = statistics.median(durations)
        if seconds < USUAL_STEPS * usual_seconds:
            return
        told, told_at = self._told
        if told != step:
            self._told = step, seconds
            log.error("no step ends", seconds=round(seconds), usual_seconds=usual_seconds)
            faulthandler.dump_traceback(all_threads=True)
        elif seconds >= told_at + LAST_SECONDS:
            log.error("stalled: this process ends", seconds=round(seconds))
            os._exit(ExitCode.STALLED)


def _precedes_a_step(report: Report) -> bool:
    """Whether the training's next report is a step's; after an epoch's last one it validates."""
    if isinstance(report, Stepped):
        return not report.ends_epoch
    return isinstance(report, (StageStarted, EpochEnded))
