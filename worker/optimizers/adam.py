"""Adam."""

from collections.abc import Iterable
from typing import Annotated

import torch
from pydantic import Field

from worker.registry import optimizers

Beta = Annotated[float, Field(ge=0, lt=1)]


@optimizers.register(source="Kingma & Ba 2014, arXiv:1412.6980, algorithm 1")
def adam(
    parameters: Iterable[torch.nn.Parameter],
    learning_rate: float,
    /,
    *,
    beta1: Beta = 0.9,
    beta2: Beta = 0.999,
    epsilon: Annotated[float, Field(gt=0, le=1)] = 1e-8,
) -> torch.optim.Optimizer:
    """Steps by the mean of the gradient over the root of the mean of its square.

    Args:
        parameters: what is trained.
        learning_rate: the size of a step, about; 0.001 is usual.
        beta1: what is kept of the mean of the gradient at each update.
        beta2: what is kept of the mean of its square at each update.
        epsilon: what is added to the root, against division by zero.
    """
    return torch.optim.Adam(
        parameters, lr=learning_rate, betas=(beta1, beta2), eps=epsilon, fused=True
    )
