"""Stochastic gradient descent."""

from collections.abc import Iterable
from typing import Annotated

import torch
from pydantic import Field

from worker.registry import optimizers


@optimizers.register(
    source="Robbins & Monro 1951; Polyak 1964 (momentum); Sutskever et al. 2013 (Nesterov)",
    requires={"nesterov": "momentum"},
    unusual_from={"learning_rate": 10},
    has_stability_edge=True,
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

    Differs: as in PyTorch, the learning rate multiplies the velocity; Keras keeps it inside,
    v ← μv − lr·g, W ← W + v. Both take the same steps while lr is constant. When lr changes, the
    whole velocity follows at once here, while in Keras each past gradient keeps its own lr.

    Args:
        parameters: parameters to train.
        learning_rate: lr.
        momentum: μ; 0 for none.
        nesterov: whether to use Nesterov momentum; requires momentum above 0.
    """
    optimizer = torch.optim.SGD(
        parameters,
        lr=learning_rate,
        momentum=momentum,
        nesterov=nesterov and momentum > 0,
        fused=True,
    )
    if momentum > 0:
        # PyTorch would use uninitialized memory for v if float16 skips the first step
        for group in optimizer.param_groups:
            for tensor in group["params"]:
                optimizer.state[tensor]["momentum_buffer"] = torch.zeros_like(tensor)
    return optimizer
