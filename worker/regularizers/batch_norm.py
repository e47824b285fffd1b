"""Batch norm as a regularizer: switches on the batch norm of the architecture."""

from typing import Annotated

from pydantic import Field

from worker.registry import regularizers
from worker.regularizers.regularizer import Regularizer

#: Parameters of the architecture that it sets: whether to use batch norm, and its momentum θ.
SWITCH, MOMENTUM = SETS = ("batch_norm", "batch_norm_momentum")


def torch_momentum(momentum: float) -> float:
    """Return PyTorch's momentum, 1−θ, for θ in running ← θ·running + (1−θ)·batch."""
    return round(1 - momentum, 15)  # 1 − 0.9 is 0.09999999999999998 in floating point


@regularizers.register(
    source="Ioffe & Szegedy 2015, arXiv:1502.03167, algorithm 1",
    sets=list(SETS),
    needs_two_per_batch=True,
)
def batch_norm(*, momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9) -> Regularizer:
    """Normalize features by the statistics of the batch; evaluation uses running statistics.

    The running statistics follow running ← θ·running + (1−θ)·batch.

    Differs: as everywhere in PyTorch, the running variance uses the unbiased variance of the
    batch; Keras uses the biased variance. A last batch of a single sample has no variance and is
    skipped in training.

    Args:
        momentum: θ, the fraction of the running statistics that an update keeps; PyTorch's
            momentum is 1−θ.
    """
    return Regularizer(overrides={SWITCH: True, MOMENTUM: momentum})
