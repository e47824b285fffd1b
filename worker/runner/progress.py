"""How far a training is and how long it will take, from its steps."""

import time
from typing import Any

from worker.training.reports import Stepped

#: Weight of the newest second in the moving rate.
SMOOTHING = 0.3


class Progress:
    """Looks at every step; costs next to nothing."""

    def __init__(self) -> None:
        self._rate: float | None = None
        self.begin()

    def begin(self) -> None:
        """Time counts from now on: what came before, such as loading, is no part of the rate."""
        self._images, self._since = 0, time.monotonic()

    def after(self, report: Stepped) -> dict[str, Any]:
        """The progress as a job carries it."""
        self._images += report.images
        elapsed = time.monotonic() - self._since
        if elapsed >= 1 or self._rate is None:
            newest = self._images / max(elapsed, 1e-9)
            old = newest if self._rate is None else self._rate
            self._rate = (1 - SMOOTHING) * old + SMOOTHING * newest
            if elapsed >= 1:
                self._images, self._since = 0, time.monotonic()
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
