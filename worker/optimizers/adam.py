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
    epsilon: Annotated[float, Field(gt=0, le=1)] = 1e-8,
) -> torch.optim.Optimizer:
    """Step by the running mean of the gradient over the root of the running mean of its square.

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
