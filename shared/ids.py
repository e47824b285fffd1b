"""Ids that have a prefix and sort by the time of their creation."""

import secrets
import threading
import time

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, lower case
LENGTH = 26  # 48 bits of milliseconds and 80 random bits


class _Counter:
    """Numbers that increase with the time and with every call in a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def next(self) -> int:
        value = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
        with self._lock:
            self._last = max(value, self._last + 1)
            return self._last


_counter = _Counter()


def new_id(prefix: str) -> str:
    """Return `prefix_` and 26 characters. Later ids of one process are always larger."""
    value = _counter.next()
    characters = [ALPHABET[value >> shift & 31] for shift in range(5 * (LENGTH - 1), -1, -5)]
    return f"{prefix}_{''.join(characters)}"


def is_id(prefix: str, text: str) -> bool:
    """Return whether `text` has the form of an id with this prefix."""
    head, _, tail = text.partition("_")
    return head == prefix and len(tail) == LENGTH and all(c in ALPHABET for c in tail)
