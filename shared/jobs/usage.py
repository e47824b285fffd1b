"""Used device time, which counts half after a half-life.

It is stored inflated: an interval at time τ counts 2^((τ − epoch) / half-life). All owners' use
decays alike, so the order of the stored numbers is the order of the decayed numbers at every
moment, and no clock has to run for it.
"""

from dataclasses import dataclass
from math import expm1, log

from shared.jobs.planning.box import HIGH, LOW

#: An exponent up to which sums stay exact enough and far from the largest float (2^1024).
MAX_EXPONENT = 500.0
#: How much a second of a job counts by its priority.
RATE_OF_HIGH, RATE_OF_LOW = 2.0, 0.5


@dataclass(frozen=True, slots=True)
class Ledger:
    """How stored use is read: from which time on it is inflated, and how fast it halves."""

    #: Seconds since the epoch of the clock.
    begins_at: float
    half_life_seconds: float

    def __post_init__(self) -> None:
        if not self.half_life_seconds > 0:
            raise ValueError(f"the half-life is {self.half_life_seconds!r}; it must be positive")

    def charge(self, begin: float, end: float, *, rate: float = 1.0, share: float = 1.0) -> float:
        """Return what an interval adds to stored use.

        The charges of the parts of an interval add up to the charge of the whole.

        Args:
            begin: of the interval.
            end: of the interval; before `begin` it counts as empty.
            rate: of the job's priority.
            share: of devices that the job uses, such as 0.5 for half of a device.
        """
        if end <= begin:
            return 0.0
        scale = self.half_life_seconds / log(2)
        # From the end: however long the interval is, as after a jump of the clock, it is finite.
        grown = -expm1((begin - end) / scale)
        return rate * share * scale * grown * 2 ** self._exponent(end)

    def decayed(self, usage: float, now: float) -> float:
        """Return stored use as device-seconds, as they count at this time."""
        return usage * 2 ** -self._exponent(now)

    def is_due(self, now: float) -> bool:
        """Return whether stored use has to be rebased.

        It has to be before its numbers grow too large, and where it begins in the future, because
        the clock was set back: until then nothing would decay.
        """
        is_ahead = self.begins_at - now > self.half_life_seconds
        return is_ahead or self._exponent(now) > MAX_EXPONENT / 2

    def _exponent(self, at: float) -> float:
        """Return by how many half-lives a time is after the beginning; 0 before it."""
        exponent = (at - self.begins_at) / self.half_life_seconds
        return max(0.0, min(MAX_EXPONENT, exponent))


def rate_of(priority: int) -> float:
    """Return how much a second of a job of this priority counts."""
    if priority >= HIGH:
        return RATE_OF_HIGH
    return RATE_OF_LOW if priority <= LOW else 1.0
