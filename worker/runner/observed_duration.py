"""How long something lasts, as seen by who looks again and again."""

import time

#: More than this between two looks does not count: the process was stopped, or the looker away.
MOST_BETWEEN_LOOKS = 5.0


class ObservedDuration:
    """Adds up the time between looks that find the same thing."""

    def __init__(self) -> None:
        self._what: object = None
        self._looked_at = 0.0
        self._seconds = 0.0

    def seconds(self, what: object) -> float:
        """For how many seconds each look has found this; 0 at the first, and always for None."""
        now = time.monotonic()
        if what is None or what != self._what:
            self._what, self._seconds = what, 0.0
        else:
            self._seconds += min(now - self._looked_at, MOST_BETWEEN_LOOKS)
        self._looked_at = now
        return self._seconds
