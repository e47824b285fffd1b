"""Where snapshots wait for the disk and the database: a bound on the memory that they take."""

import threading

#: While less than this waits, a training goes on; with more it waits for the disk itself.
MOST_BYTES = 512 * 2**20
#: So many may wait however large they are: one is written while the next is taken.
ALWAYS = 2


class WaitingRoom:
    """Counts the snapshots that wait, and makes the next one wait outside while it is full."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._guests = 0
        self._bytes = 0

    @property
    def is_open(self) -> bool:
        """Whether the next one may come in at once."""
        return self._guests < ALWAYS or self._bytes < MOST_BYTES

    def enter(self, size: int) -> None:
        """Come in with so many bytes, when there is room."""
        with self._changed:
            self._changed.wait_for(lambda: self.is_open)
            self._guests += 1
            self._bytes += size

    def leave(self, size: int) -> None:
        """Make room."""
        with self._changed:
            self._guests -= 1
            self._bytes -= size
            self._changed.notify_all()
