"""Adam with decoupled weight decay."""

from collections.abc import Iterable
from typing import Annotated

import torch
from pydantic import Field

from worker.optimizers.adam import Beta
from worker.registry import optimizers


@optimizers.register(source="Loshchilov & Hutter 2017, arXiv:1711.05101, algorithm 2")
def adamw(
    parameters: Iterable[torch.nn.Parameter],
    learning_rate: float,
    /,
    *,
    weight_decay: Annotated[float, Field(ge=0, le=100)] = 0.01,
    beta1: Beta = 0.9,
    beta2: Beta = 0.999,
    epsilon: Annotated[float, Field(gt=0, le=1)] = 1e-8,
) -> torch.optim.Optimizer:
    """Adam, and beside its step each weight shrinks: W ← W − lr·decay·W.

    The decay is no part of the gradient, so Adam does not divide it by its root. It is on
    matrices and filters only, never on biases or on batch norm's scales, as L1 and L2 are.

    Differs: as in PyTorch the learning rate multiplies the decay, where the paper has a
    schedule's factor η alone: its λ is lr₀·weight_decay.

    Args:
        parameters: what is trained.
        learning_rate: the size of a step, about; 0.001 is usual.
        weight_decay: the share of a weight that goes at each update, in units of the rate.
        beta1: what is kept of the mean of the gradient at each update.
        beta2: what is kept of the mean of its square at each update.
        epsilon: what is added to the root, against division by zero.
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
