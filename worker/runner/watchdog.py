"""The watchdog: ends the process when a step of a training or of an analysis does not end.

Of a training, it measures only the time in which `fit` computes a step; of an analysis, the time
between two of its checks. Loading, validation, evaluation, and the handling of a report, such as
waiting for the disk or the database, may take any time.
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

#: A step is stalled once it takes longer than this and than this many times the usual step.
MIN_STALL_SECONDS = 600.0
STALL_FACTOR = 20
#: The time between the log of its stacks and the end of the process.
GRACE_SECONDS = 30.0
#: The usual step is the median of this many.
MAX_DURATIONS = 101


class Watchdog:
    """Times the steps on the main thread; `check` runs on the heartbeat's thread."""

    def __init__(self) -> None:
        #: The number of the current step; None between steps.
        self._step: int | None = None
        self._steps = 0
        self._began = 0.0
        #: Durations of the stage's steps. Its first step is not judged, as none is known yet.
        self._durations: deque[float] = deque(maxlen=MAX_DURATIONS)
        self._step_duration = ObservedDuration()
        #: The last step whose stacks were logged, and its duration at that time.
        self._logged_step: int | None = None
        self._logged_seconds = 0.0

    def watch(self, reports: Iterable[Report]) -> Iterator[Report]:
        """Yield the reports, and time the steps between them."""
        try:
            for report in reports:
                self._step = None
                if isinstance(report, Stepped):
                    self._durations.append(time.monotonic() - self._began)
                elif isinstance(report, StageStarted):
                    self._durations.clear()
                yield report
                if _precedes_a_step(report):
                    self.begin_step()
        finally:
            self._step = None

    def begin_step(self) -> None:
        """Start to time a step."""
        self._began, self._steps = time.monotonic(), self._steps + 1
        self._step = self._steps

    def end_step(self) -> None:
        """Stop timing; the duration of the step, if one has begun, shows what is usual."""
        if self._step is not None:
            self._step = None
            self._durations.append(time.monotonic() - self._began)

    def check(self) -> None:
        """Log the stacks of all threads if the step is stalled; if it stays so, end the process."""
        step = self._step
        seconds = self._step_duration.observe(step)
        durations = list(self._durations)
        if seconds < MIN_STALL_SECONDS or not durations:
            return
        usual_seconds = statistics.median(durations)
        if seconds < STALL_FACTOR * usual_seconds:
            return
        if self._logged_step != step:
            self._logged_step, self._logged_seconds = step, seconds
            log.error("no step ends", seconds=round(seconds), usual_seconds=usual_seconds)
            faulthandler.dump_traceback(all_threads=True)
        elif seconds >= self._logged_seconds + GRACE_SECONDS:
            log.error("the step is stalled: exit", seconds=round(seconds))
            os._exit(ExitCode.STALLED)


def _precedes_a_step(report: Report) -> bool:
    """Return whether the next report is a step's. Validation follows an epoch's last step."""
    if isinstance(report, Stepped):
        return not report.ends_epoch
    return isinstance(report, (StageStarted, EpochEnded))
