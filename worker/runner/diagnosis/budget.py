"""The share of the run that the watch may take, measured as its own CPU time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

#: Of the training thread's CPU time since the beginning.
SHARE = 0.02
#: What the watch may take of a run that is too short for the share.
FLOOR_SECONDS = 0.5
#: The part of it that is kept for what is read at the end.
KEPT = 0.25


class Budget:
    """Measures the watch on the training's thread, and answers whether another reading fits."""

    def __init__(self) -> None:
        self._began = time.thread_time()
        self.spent_seconds = 0.0
        #: Of the last reading of the network.
        self.last_seconds = 0.0

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Count the CPU time of the block."""
        started_at = time.thread_time()
        try:
            yield
        finally:
            self.spent_seconds += time.thread_time() - started_at

    @contextmanager
    def excluded(self) -> Iterator[None]:
        """Leave the CPU time of the block out of what is measured."""
        started_at = time.thread_time()
        try:
            yield
        finally:
            self.spent_seconds -= time.thread_time() - started_at

    @property
    def allows_reading(self) -> bool:
        """Whether the next reading, as long as the last, leaves the part that is kept."""
        return self.spent_seconds + self.last_seconds <= (1 - KEPT) * self._total_seconds

    @property
    def left_seconds(self) -> float:
        """What the watch may still take at the end: at least the part that is kept for it."""
        total = self._total_seconds
        return max(KEPT * total, total - self.spent_seconds)

    @property
    def _total_seconds(self) -> float:
        return max(FLOOR_SECONDS, SHARE * (time.thread_time() - self._began))
