"""How far a job has come and how long it will take, computed from its steps."""

import time
from typing import Any

from worker.training.reports import Stepped

#: Weight of the newest measurement in the moving average of the rate.
SMOOTHING = 0.3


class Progress:
    """The progress and the training rate, updated at every step."""

    def __init__(self) -> None:
        self._rate: float | None = None
        self.restart_clock()

    def restart_clock(self) -> None:
        """Measure the rate from now on, so that loading does not lower it."""
        self._images, self._since = 0, time.monotonic()

    def update(self, report: Stepped) -> dict[str, Any]:
        """Return the progress after a step, in the form that a job shows."""
        self._images += report.images
        elapsed = time.monotonic() - self._since
        if elapsed >= 1 or self._rate is None:
            newest = self._images / max(elapsed, 1e-9)
            old = newest if self._rate is None else self._rate
            self._rate = (1 - SMOOTHING) * old + SMOOTHING * newest
            if elapsed >= 1:
                self.restart_clock()
        left = (report.steps - report.step) * report.images
        return {
            "stage": report.stage,
            "epoch": report.epoch,
            "epochs": report.epochs,
            "step": report.step,
            "steps": report.steps,
            "fraction": round(report.step / max(report.steps, 1), 6),
            "images_per_second": round(self._rate, 1),
            "eta_seconds": round(left / max(self._rate, 1e-9), 1),
        }
