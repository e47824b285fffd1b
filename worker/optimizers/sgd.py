"""Stochastic gradient descent."""

from collections.abc import Iterable
from typing import Annotated

import torch
from pydantic import Field

from worker.registry import optimizers


@optimizers.register(
    source="Robbins & Monro 1951; Polyak 1964 (momentum); Sutskever et al. 2013 (Nesterov)",
    requires={"nesterov": "momentum"},
)
def sgd(
    parameters: Iterable[torch.nn.Parameter],
    learning_rate: float,
    /,
    *,
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9,
    nesterov: bool = False,
) -> torch.optim.Optimizer:
    """Gradient descent on batches: v ← μv + g, W ← W − lr·v; Nesterov: W ← W − lr·(g + μv).

    Args:
        parameters: what is trained.
        learning_rate: lr of the first update.
        momentum: μ; 0 for none.
        nesterov: whether the step looks ahead along the momentum; there has to be some.
    """
    optimizer = torch.optim.SGD(
        parameters,
        lr=learning_rate,
        momentum=momentum,
        nesterov=nesterov and momentum > 0,
        fused=True,
    )
    if momentum > 0:
        # Left to itself it takes unwritten memory for v where float16 skips the very first step
        for group in optimizer.param_groups:
            for tensor in group["params"]:
                optimizer.state[tensor]["momentum_buffer"] = torch.zeros_like(tensor)
    return optimizer
