"""Linear warm-up, which every schedule may start with."""

from typing import Annotated

from pydantic import Field

Warmup = Annotated[int, Field(ge=0, le=10_000_000)]


def ramp(updates: int, warmup: int) -> float:
    """A factor that rises linearly to 1 at the last of the first `warmup` updates.

    Source: Goyal et al. 2017, arXiv:1706.02677, section 2.2.
    """
    return min(1.0, (updates + 1) / warmup) if warmup else 1.0


def after(updates: int, warmup: int) -> int:
    """How many updates were made since the warm-up ended."""
    return max(0, updates - warmup)
