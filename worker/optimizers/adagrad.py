"""Adagrad."""

from collections.abc import Iterable
from typing import Annotated

import torch
from pydantic import Field

from worker.registry import optimizers


@optimizers.register(
    source="Duchi, Hazan & Singer 2011, JMLR 12, section 1.1",
    unusual_from={"learning_rate": 1},
)
def adagrad(
    parameters: Iterable[torch.nn.Parameter],
    learning_rate: float,
    /,
    *,
    epsilon: Annotated[float, Field(ge=1e-30, le=1)] = 1e-10,
) -> torch.optim.Optimizer:
    """Step by the gradient divided by the root of the sum of its squares: G ← G + g².

    W ← W − lr·g/(√G + ε). G starts at 0, so the first step is approximately lr·sign(g). In Keras G
    starts at 0.1 and the step is lr·g/√(G + ε) with ε = 1e-7.

    Args:
        parameters: parameters to train.
        learning_rate: lr; usually 0.01.
        epsilon: ε, added to the root to avoid division by zero.
    """
    return torch.optim.Adagrad(
        parameters, lr=learning_rate, initial_accumulator_value=0.0, eps=epsilon, foreach=True
    )
