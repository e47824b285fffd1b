"""Batch norm as a regularizer of the job: it switches the architecture's on."""

from typing import Annotated

from pydantic import Field

from worker.registry import regularizers
from worker.regularizers.regularizer import Regularizer


def torch_momentum(momentum: float) -> float:
    """PyTorch's momentum, 1−θ, of θ in running ← θ·running + (1−θ)·batch."""
    return round(1 - momentum, 15)  # 1 - 0.9 as people mean it: 0.1


@regularizers.register(
    source="Ioffe & Szegedy 2015, arXiv:1502.03167, algorithm 1",
    sets=["batch_norm", "batch_norm_momentum"],
)
def batch_norm(*, momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9) -> Regularizer:
    """Normalises features by the batch; running ← θ·running + (1−θ)·batch for evaluation.

    Differs: as everywhere in PyTorch the running variance takes the unbiased variance of the
    batch, where Keras takes the biased one. A last batch of one sample has no variance and is
    left out of training.

    Args:
        momentum: θ, the share of the running figures that is kept (PyTorch's is 1−θ).
    """
    return Regularizer(overrides={"batch_norm": True, "batch_norm_momentum": momentum})
