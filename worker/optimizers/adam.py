"""Adam."""

from collections.abc import Iterable
from typing import Annotated

import torch
from pydantic import Field

from worker.registry import optimizers

Beta = Annotated[float, Field(ge=0, lt=1)]


@optimizers.register(
    source="Kingma & Ba 2014, arXiv:1412.6980, algorithm 1", unusual_from={"learning_rate": 1}
)
def adam(
    parameters: Iterable[torch.nn.Parameter],
    learning_rate: float,
    /,
    *,
    beta1: Beta = 0.9,
    beta2: Beta = 0.999,
    epsilon: Annotated[float, Field(ge=1e-30, le=1)] = 1e-8,
) -> torch.optim.Optimizer:
    """Step by the running mean of the gradient over the root of the running mean of its square.

    m ← β₁m + (1−β₁)g; v ← β₂v + (1−β₂)g²; W ← W − lr·m̂/(√v̂ + ε), with m̂ = m/(1−β₁ᵗ) and
    v̂ = v/(1−β₂ᵗ) at update t.

    Differs: as in algorithm 1 and in PyTorch, ε = 1e-8 is added to the corrected root. Keras adds
    1e-7 to √v, the «ε̂» of section 2 of the paper, which is ε = ε̂/√(1−β₂ᵗ) here: 3.2e-6 at the
    first update with the defaults, and 1e-7 in the end.

    Args:
        parameters: parameters to train.
        learning_rate: approximate size of a step; usually 0.001.
        beta1: fraction of the running mean of the gradient that an update keeps.
        beta2: fraction of the running mean of the squared gradient that an update keeps.
        epsilon: added to the root to avoid division by zero.
    """
    return torch.optim.Adam(
        parameters, lr=learning_rate, betas=(beta1, beta2), eps=epsilon, fused=True
    )
