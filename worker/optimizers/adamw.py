"""Adam with decoupled weight decay."""

from collections.abc import Iterable
from typing import Annotated

import torch
from pydantic import Field

from worker.optimizers.adam import Beta
from worker.registry import optimizers


@optimizers.register(
    source="Loshchilov & Hutter 2017, arXiv:1711.05101, algorithm 2",
    unusual_from={"learning_rate": 1, "weight_decay": 10},
)
def adamw(
    parameters: Iterable[torch.nn.Parameter],
    learning_rate: float,
    /,
    *,
    weight_decay: Annotated[float, Field(ge=0, le=100)] = 0.01,
    beta1: Beta = 0.9,
    beta2: Beta = 0.999,
    epsilon: Annotated[float, Field(ge=1e-30, le=1)] = 1e-8,
) -> torch.optim.Optimizer:
    """Adam with decoupled weight decay: each step also does W ← W − lr·decay·W.

    The decay is not part of the gradient, so Adam does not rescale it. Like L1 and L2, it applies
    to matrices and filters, not to biases or scales of batch norm.

    Differs: as in PyTorch, the decay is multiplied by the learning rate; the paper multiplies it
    only by the factor η of the schedule, so the paper's λ is lr₀·weight_decay. ε as in `adam`.

    Args:
        parameters: parameters to train.
        learning_rate: approximate size of a step; usually 0.001.
        weight_decay: an update removes the fraction lr·weight_decay of each weight.
        beta1: fraction of the running mean of the gradient that an update keeps.
        beta2: fraction of the running mean of the squared gradient that an update keeps.
        epsilon: added to the root to avoid division by zero.
    """
    tensors = list(parameters)
    groups = [
        {"params": [tensor for tensor in tensors if tensor.ndim >= 2]},
        {"params": [tensor for tensor in tensors if tensor.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        groups,
        lr=learning_rate,
        betas=(beta1, beta2),
        eps=epsilon,
        weight_decay=weight_decay,
        fused=True,
    )
