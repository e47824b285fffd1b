"""The one-cycle schedule."""

from math import cos, pi
from typing import Annotated

from pydantic import Field

from worker.registry import schedules
from worker.schedules.warmup import Warmup, after, ramp

Divisor = Annotated[float, Field(ge=1, le=1e12)]


@schedules.register(source="Smith & Topin 2017, arXiv:1708.07120, section 3")
def one_cycle(
    updates: int,
    total: int,
    /,
    *,
    rise: Annotated[float, Field(ge=0, le=1)] = 0.3,
    initial_factor: Divisor = 25.0,
    final_factor: Divisor = 10_000.0,
    warmup: Warmup = 0,
) -> float:
    """Rises linearly from lr₀/initial_factor to lr₀, then falls along a cosine.

    It reaches lr₀/final_factor when the last update has been made, so that the last one is made a
    little above. The optimizer's learning rate is the
    highest one, and momentum stays as it is.

    Args:
        updates: updates made before this one.
        total: updates of the stage.
        rise: the share of the stage over which it rises.
        initial_factor: by what lr₀ is divided at the start.
        final_factor: by what lr₀ is divided at the end.
        warmup: over how many updates it rises linearly to lr₀/initial_factor first.
    """
    part = min(1.0, after(updates, warmup) / max(1, total - warmup))
    if part < rise:
        first = 1 / initial_factor
        return ramp(updates, warmup) * (first + (1 - first) * part / rise)
    fallen = (part - rise) / (1 - rise) if rise < 1 else 0.0
    last = 1 / final_factor
    return ramp(updates, warmup) * (last + (1 - last) * (1 + cos(pi * fallen)) / 2)
