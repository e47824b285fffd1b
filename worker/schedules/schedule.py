"""The learning rate during a stage: a linear warm-up, a decay by updates, a plateau rule."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from worker.training.selection import Plateau

#: The number of updates over which the learning rate rises linearly at the start of a stage.
Warmup = Annotated[int, Field(ge=0, le=10_000_000)]


@dataclass(frozen=True)
class Progress:
    """The position in a stage after its warm-up."""

    #: Updates made since the end of the warm-up; 0 during the warm-up.
    updates: int
    #: Updates of the stage without the warm-up, at least 1.
    total: int

    @property
    def fraction(self) -> float:
        """The fraction of the updates that are made, at most 1."""
        return min(1.0, self.updates / self.total)


@dataclass(frozen=True)
class Schedule:
    """The factor on the learning rate lr₀ of a stage."""

    #: The factor after the warm-up, by progress; None keeps it at 1.
    decay: Callable[[Progress], float] | None = None
    #: Updates of the linear warm-up.
    warmup: int = 0
    #: The rule that also reduces the learning rate at the end of epochs.
    plateau: Plateau | None = None

    def factor(self, updates: int, total: int) -> float:
        """Return the factor on lr₀ for the next update.

        Args:
            updates: updates made in the stage so far.
            total: updates of the stage, the warm-up included.
        """
        progress = Progress(max(0, updates - self.warmup), max(1, total - self.warmup))
        decay = 1.0 if self.decay is None else self.decay(progress)
        return warmup_factor(updates, self.warmup) * decay


def warmup_factor(updates: int, warmup: int) -> float:
    """Return a factor that rises linearly and reaches 1 at update number `warmup`.

    Source: Goyal et al. 2017, arXiv:1706.02677, section 2.2.

    Args:
        updates: updates made so far.
        warmup: updates of the warm-up; 0 for none.
    """
    return min(1.0, (updates + 1) / warmup) if warmup else 1.0
