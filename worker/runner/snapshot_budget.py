"""Where snapshots wait for the disk and the database: a bound on the memory that they take."""

import threading
from collections.abc import Callable

#: While less than this waits, a training goes on; with more it waits for the disk itself.
MOST_BYTES = 512 * 2**20
#: So many may wait however large they are: one is written while the next is taken.
ALWAYS = 2
#: How often whoever waits looks whether it is worth while.
LOOK_SECONDS = 0.5


class SnapshotBudget:
    """Counts the snapshots that wait, and makes the next one wait outside while it is full."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._guests = 0
        self._bytes = 0

    @property
    def is_open(self) -> bool:
        """Whether the next one may come in at once."""
        return self._guests < ALWAYS or self._bytes < MOST_BYTES

    def enter(self, size: int, *, look: Callable[[], None]) -> None:
        """Come in with so many bytes, when there is room.

        Args:
            size: the bytes.
            look: raises once nobody will leave any more, and ends the waiting so.
        """
        with self._changed:
            while not self._changed.wait_for(lambda: self.is_open, LOOK_SECONDS):
                look()
            self._guests += 1
            self._bytes += size

    def leave(self, size: int) -> None:
        """Make room."""
        with self._changed:
            self._guests -= 1
            self._bytes -= size
            self._changed.notify_all()
