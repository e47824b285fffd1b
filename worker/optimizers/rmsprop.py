"""RMSprop."""

from collections.abc import Iterable
from typing import Annotated

import torch
from pydantic import Field

from worker.registry import optimizers


@optimizers.register(
    source="Tieleman & Hinton 2012, Neural Networks for Machine Learning, lecture 6.5",
)
def rmsprop(
    parameters: Iterable[torch.nn.Parameter],
    learning_rate: float,
    /,
    *,
    rho: Annotated[float, Field(ge=0, lt=1)] = 0.9,
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0,
    epsilon: Annotated[float, Field(gt=0, le=1)] = 1e-8,
) -> torch.optim.Optimizer:
    """Steps by the gradient over the root of a running mean of its square.

    S ← ρS + (1−ρ)g²; v ← μv + g/(√S + ε); W ← W − lr·v.

    Differs: PyTorch's own ρ (its `alpha`) is 0.99 by default; the lecture's and Keras's is 0.9.

    Args:
        parameters: what is trained.
        learning_rate: lr, the size of a step, about; 0.001 is usual.
        rho: ρ, what is kept of the mean of the square at each update.
        momentum: μ; 0 for none. With it the optimizer keeps a second tensor for each weight.
        epsilon: ε, what is added to the root, against division by zero.
    """
    return torch.optim.RMSprop(
        parameters, lr=learning_rate, alpha=rho, momentum=momentum, eps=epsilon, foreach=True
    )
