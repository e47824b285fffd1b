"""Adagrad."""

from collections.abc import Iterable
from typing import Annotated

import torch
from pydantic import Field

from worker.registry import optimizers


@optimizers.register(source="Duchi, Hazan & Singer 2011, JMLR 12, section 1.1")
def adagrad(
    parameters: Iterable[torch.nn.Parameter],
    learning_rate: float,
    /,
    *,
    epsilon: Annotated[float, Field(gt=0, le=1)] = 1e-10,
) -> torch.optim.Optimizer:
    """Steps by the gradient over the root of the sum of its squares: G ← G + g².

    W ← W − lr·g/(√G + ε). G starts at 0, so the first step is lr·sign(g), about. Keras starts
    it at 0.1.

    Args:
        parameters: what is trained.
        learning_rate: lr; 0.01 is usual.
        epsilon: ε, what is added to the root, against division by zero.
    """
    return torch.optim.Adagrad(
        parameters, lr=learning_rate, initial_accumulator_value=0.0, eps=epsilon, foreach=True
    )
