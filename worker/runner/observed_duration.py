"""The time for which a value stays the same, measured by observing it again and again."""

import time

#: A longer gap between two observations counts as this much: the process was suspended meanwhile,
#: or waited for the database.
MAX_GAP_SECONDS = 5.0


class ObservedDuration:
    """Add up the time between observations of the same value.

    Args:
        max_gap_seconds: the most that counts between two observations. Time in which nobody
            observed does not count as a duration of the value.
    """

    def __init__(self, max_gap_seconds: float = MAX_GAP_SECONDS) -> None:
        self._max_gap_seconds = max_gap_seconds
        self._value: object = None
        self._observed_at = 0.0
        self._seconds = 0.0

    def observe(self, value: object) -> float:
        """Return for how many seconds the value has stayed the same.

        It is 0 for a value that differs from the previous observation's, and always for None.
        """
        now = time.monotonic()
        if value is None or value != self._value:
            self._value, self._seconds = value, 0.0
        else:
            self._seconds += min(now - self._observed_at, self._max_gap_seconds)
        self._observed_at = now
        return self._seconds
