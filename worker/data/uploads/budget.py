"""Memory that is shared by threads: large pictures wait until there is room for them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Budget:
    """An amount of bytes that threads take for a time.

    Args:
        total: what all threads together may hold.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self._free = total
        self._changed = threading.Condition()

    @contextmanager
    def held(self, amount: int) -> Iterator[None]:
        """Hold an amount during the block; wait until it is free. More than all is all."""
        taken = min(amount, self.total)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= taken)
            self._free -= taken
        try:
            yield
        finally:
            with self._changed:
                self._free += taken
                self._changed.notify_all()
