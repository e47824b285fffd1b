"""A bound on the memory of snapshots that wait to be written."""

import threading
from collections.abc import Callable

#: Training continues while the waiting snapshots are smaller than this; then it waits for the disk.
MAX_WAITING_BYTES = 512 * 2**20
#: This many may wait whatever their size: one is written while the next is taken.
MIN_SNAPSHOTS = 2
#: How often a blocked `acquire` checks whether to give up.
CHECK_SECONDS = 0.5


class SnapshotBudget:
    """A counter of the waiting snapshots that blocks while they take too much memory."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._snapshots = 0
        self._bytes = 0

    @property
    def is_available(self) -> bool:
        """Whether `acquire` returns without waiting."""
        return self._snapshots < MIN_SNAPSHOTS or self._bytes < MAX_WAITING_BYTES

    def acquire(self, size: int, *, check: Callable[[], None]) -> None:
        """Wait until the budget is available, then count a snapshot.

        Args:
            size: bytes of the snapshot.
            check: called while waiting; raises when no snapshot will be released any more.
        """
        with self._changed:
            while not self._changed.wait_for(lambda: self.is_available, CHECK_SECONDS):
                check()
            self._snapshots += 1
            self._bytes += size

    def release(self, size: int) -> None:
        """Stop counting a snapshot, which is written or given up.

        Args:
            size: its bytes, as for `acquire`.
        """
        with self._changed:
            self._snapshots -= 1
            self._bytes -= size
            self._changed.notify_all()
