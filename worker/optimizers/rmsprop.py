"""RMSprop."""

from collections.abc import Iterable
from typing import Annotated

import torch
from pydantic import Field

from worker.registry import optimizers


@optimizers.register(
    source="Tieleman & Hinton 2012, Neural Networks for Machine Learning, lecture 6.5",
    unusual_from={"learning_rate": 1},
)
def rmsprop(
    parameters: Iterable[torch.nn.Parameter],
    learning_rate: float,
    /,
    *,
    rho: Annotated[float, Field(ge=0, lt=1)] = 0.9,
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0,
    epsilon: Annotated[float, Field(ge=1e-30, le=1)] = 1e-8,
) -> torch.optim.Optimizer:
    """Step by the gradient divided by the root of the running mean of its square.

    S ← ρS + (1−ρ)g²; v ← μv + g/(√S + ε); W ← W − lr·v.

    Differs: the default of ρ (`alpha` in PyTorch) is 0.9, as in the lecture and in Keras; PyTorch's
    is 0.99. As in PyTorch, ε = 1e-8 is added to the root; Keras has g/√(S + ε) with ε = 1e-7.

    Args:
        parameters: parameters to train.
        learning_rate: lr, approximate size of a step; usually 0.001.
        rho: ρ, fraction of the running mean that an update keeps.
        momentum: μ; 0 for none. With momentum the optimizer keeps a second tensor per weight.
        epsilon: ε, added to the root to avoid division by zero.
    """
    return torch.optim.RMSprop(
        parameters, lr=learning_rate, alpha=rho, momentum=momentum, eps=epsilon, foreach=True
    )
