"""A schedule with a single rise and fall of the learning rate."""

from functools import partial
from math import cos, pi
from typing import Annotated

from pydantic import Field

from worker.registry import schedules
from worker.schedules.schedule import Progress, Schedule, Warmup

Divisor = Annotated[float, Field(ge=1, le=1e12)]


@schedules.register(source="Smith & Topin 2017, arXiv:1708.07120, section 3")
def one_cycle(
    *,
    rise: Annotated[float, Field(ge=0, le=1)] = 0.3,
    initial_factor: Divisor = 25.0,
    final_factor: Divisor = 10_000.0,
    warmup: Warmup = 0,
) -> Schedule:
    """A linear rise from lr₀/initial_factor to lr₀, then a fall along half a cosine.

    The optimizer's learning rate lr₀ is the maximum; momentum does not change. The fall reaches
    lr₀/final_factor after the last update, so the last update itself is made at a slightly higher
    learning rate.

    Args:
        rise: fraction of the stage during which the learning rate rises.
        initial_factor: lr₀ is divided by this at the start.
        final_factor: lr₀ is divided by this at the end.
        warmup: number of updates over which the learning rate first rises linearly to
            lr₀/initial_factor.
    """
    return Schedule(
        partial(_cycle, rise=rise, first=1 / initial_factor, last=1 / final_factor), warmup
    )


def _cycle(progress: Progress, *, rise: float, first: float, last: float) -> float:
    """Return the factor on lr₀, from `first` over 1 to `last`."""
    if progress.fraction < rise:
        return first + (1 - first) * progress.fraction / rise
    fallen = (progress.fraction - rise) / (1 - rise) if rise < 1 else 0.0
    return last + (1 - last) * (1 + cos(pi * fallen)) / 2
