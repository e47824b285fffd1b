"""Measures what an attempt costs: the time of a pass, of everything else, and its peak memory."""

import os
import resource
import time
from contextlib import suppress
from pathlib import Path
from statistics import fmean, median
from typing import Any

import sqlalchemy as sa
import torch

from shared.clock import now
from shared.database import Database
from shared.errors import Unavailable
from shared.jobs.estimates import history
from shared.jobs.estimates.cost import cost_of
from shared.jobs.estimates.history import Measured
from worker.assignment import Assignment
from worker.training.reports import EpochEnded, Report, StageStarted

STATUS = Path("/proc/self/statm")


class CostMeter:
    """Observes the reports of a training. Its clock does not jump.

    Args:
        assignment: of the attempt; its job's stored specification says what the cost is of.
    """

    def __init__(self, assignment: Assignment) -> None:
        self._assignment = assignment
        self._cost = cost_of(assignment.spec, epoch_limit=assignment.epoch_limit)
        self._began = self._since = time.monotonic()
        self._resident_mib = _resident_mib()
        self._epochs: list[float] = []
        self._is_partial = False
        self._is_whole = True
        self._stages = 0

    def resume(self, *, is_new: bool) -> None:
        """Take note of whether the attempt begins at the first step of the job."""
        self._is_whole = is_new

    def observe(self, report: Report) -> None:
        """Measure the epochs, without an epoch that an earlier attempt began."""
        at = time.monotonic()
        if isinstance(report, StageStarted):
            self._since, self._is_partial = at, report.is_resumed
            self._stages += 1
        elif isinstance(report, EpochEnded):
            if not self._is_partial:
                self._epochs.append(at - self._since)
            self._since, self._is_partial = at, False

    def record(self, connection: sa.Connection, *, is_last: bool) -> None:
        """Record what was measured so far.

        Args:
            connection: in a transaction.
            is_last: whether the job has succeeded.
        """
        cost, epochs = self._cost, self._epochs
        if cost is None or not (epochs or is_last):
            return
        seconds = time.monotonic() - self._began
        # The first epoch also takes what is only done once; several stages differ on purpose.
        steady = epochs[1:] or epochs
        typical = (fmean if self._stages > 1 else median)(steady) if steady else None
        overhead = fraction = None
        if is_last and self._is_whole and typical is not None:
            overhead = max(0.0, seconds - len(epochs) * typical)
            fraction = min(1.0, len(epochs) * cost.passes_per_epoch / cost.passes)
        measured = Measured(
            device_model=self._assignment.model,
            pass_seconds=None if typical is None else typical / cost.passes_per_epoch,
            overhead_seconds=overhead,
            fraction=fraction,
            peak_memory_mib=self._peak_mib(),
            seconds=seconds,
            is_last=is_last and self._assignment.resume_from is None,
        )
        history.add(connection, self._assignment.lease, cost, measured, now())

    def record_stopped(self, database: Database) -> None:
        """Record what a stopped attempt has shown, unless the database is away."""
        with suppress(Unavailable), database.write() as connection:
            self.record(connection, is_last=False)

    def _peak_mib(self) -> float:
        """Return the most that was allocated: by torch on a GPU, else what the process grew by."""
        if self._assignment.uuid:
            return torch.cuda.max_memory_reserved() / 2**20
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
        return max(0.0, peak_mib - self._resident_mib)


def _resident_mib() -> float:
    """Return the resident memory of this process; 0 where the kernel does not tell."""
    try:
        pages: Any = STATUS.read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except (OSError, ValueError, IndexError):
        return 0.0
