"""The share of the run that the watch may take.

The first epochs of a stage are measured as CPU time of the training's thread. From its second whole
epoch on, an epoch and a reading count as what they took then: which epochs are read no longer
depends on the clock, and a resumed attempt continues with the same account.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

#: Of the training thread's CPU time since the beginning.
SHARE = 0.02
#: What the watch may take of a run that is too short for the share.
FLOOR_SECONDS = 0.5
#: The part of it that is kept for what is read at the end.
KEPT = 0.25


@dataclass
class Account:
    """What the run and the watch in it have taken in all attempts; a part of the watch's state."""

    run_seconds: float = 0.0
    watch_seconds: float = 0.0
    #: Of the last reading of the network that was measured.
    reading_seconds: float = 0.0
    #: Of an epoch, and of the watch in it without a reading; None while epochs are measured.
    epoch_seconds: float | None = None
    epoch_watch_seconds: float = 0.0

    @property
    def total_seconds(self) -> float:
        """What the watch may take of the run so far."""
        return max(FLOOR_SECONDS, SHARE * self.run_seconds)


class Budget:
    """Measures the watch on the training's thread, and answers whether another reading fits."""

    def __init__(self) -> None:
        self.account = Account()
        #: Measured in this attempt, for benchmarks.
        self.spent_seconds = 0.0
        self._counted_until = time.thread_time()
        #: The account at the end of the last epoch, without the readings since.
        self._last_end: Account | None = None

    def restore(self, data: Mapping[str, Any] | None) -> None:
        """Continue the account that `as_json` returned; None where it was not stored."""
        if data is not None:
            self.account = Account(**data)

    def as_json(self) -> dict[str, Any]:
        """Return the account as it is stored."""
        return asdict(self.account)

    @property
    def is_measured(self) -> bool:
        """Whether the account follows the clock, instead of what an epoch took."""
        return self.account.epoch_seconds is None

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Count the CPU time of the block as the watch's."""
        self._count_run()
        started_at = time.thread_time()
        try:
            yield
        finally:
            self._count_run()
            self._count_watch(time.thread_time() - started_at)

    @contextmanager
    def excluded(self) -> Iterator[None]:
        """Leave the CPU time of the block out of what is measured."""
        started_at = time.thread_time()
        try:
            yield
        finally:
            seconds = time.thread_time() - started_at
            self._counted_until += seconds
            self._count_watch(-seconds)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Count the block, inside of a measured block, as a reading of the network."""
        started_at, account = time.thread_time(), self.account
        yield
        if not self.is_measured:
            account.watch_seconds += account.reading_seconds
            return
        account.reading_seconds = time.thread_time() - started_at
        if self._last_end is not None:
            self._last_end.watch_seconds += account.reading_seconds

    def end_epoch(self) -> None:
        """Count an epoch that has ended; from the second whole epoch of a stage on, as it took."""
        self._count_run()
        account, last = self.account, self._last_end
        if self.is_measured and last is not None:
            account.epoch_seconds = account.run_seconds - last.run_seconds
            account.epoch_watch_seconds = account.watch_seconds - last.watch_seconds
        elif account.epoch_seconds is not None:
            account.run_seconds += account.epoch_seconds
            account.watch_seconds += account.epoch_watch_seconds
        self._last_end = Account(**asdict(account))

    def start_stage(self) -> None:
        """Measure again: epochs of another stage take another time."""
        self._count_run()
        self.account.epoch_seconds = self._last_end = None

    @property
    def allows_reading(self) -> bool:
        """Whether the next reading, as long as the last, leaves the part that is kept."""
        account = self.account
        needed = account.watch_seconds + account.reading_seconds
        return needed <= (1 - KEPT) * account.total_seconds

    @property
    def left_seconds(self) -> float:
        """What the watch may still take at the end: at least the part that is kept for it."""
        self._count_run()
        total = self.account.total_seconds
        return max(KEPT * total, total - self.account.watch_seconds)

    def _count_run(self) -> None:
        """Add the time since the last call to the run."""
        now = time.thread_time()
        if self.is_measured:
            self.account.run_seconds += now - self._counted_until
        self._counted_until = now

    def _count_watch(self, seconds: float) -> None:
        self.spent_seconds += seconds
        if self.is_measured:
            self.account.watch_seconds += seconds
