"""Penalties on the size of weights: L1 and L2. Biases and scales of batch norm are excluded."""
# ruff: noqa: SLF001 - torch._foreach_* have no public names
# pyright: reportPrivateImportUsage=false

from functools import partial
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from worker.registry import regularizers
from worker.regularizers.regularizer import Penalty, Regularizer
from worker.training.tensor_norms import absolute_sums, euclidean_norms

Weight = Annotated[float, Field(ge=0, le=1000)]
Pattern = Annotated[str, Field(min_length=1, max_length=200)]


def l2_value(weights: list[Tensor], weight: float) -> Tensor:
    """Return Ω = λ Σ ‖W‖²_F, a float64 scalar."""
    return weight * euclidean_norms(weights).square().sum()


def add_l2_gradient(weights: list[Tensor], gradients: list[Tensor], weight: float) -> None:
    """Add 2λW to each gradient, in place."""
    torch._foreach_add_(gradients, weights, alpha=2 * weight)


def l1_value(weights: list[Tensor], weight: float) -> Tensor:
    """Return Ω = λ Σ |W|, a float64 scalar."""
    return weight * absolute_sums(weights).sum()


def add_l1_gradient(weights: list[Tensor], gradients: list[Tensor], weight: float) -> None:
    """Add λ·sign(W) to each gradient, in place; sign(0) is 0."""
    torch._foreach_add_(gradients, torch._foreach_sign(weights), alpha=weight)


@regularizers.register(
    source="Hoerl & Kennard 1970 (ridge regression); Krogh & Hertz 1991",
    unusual_from={"weight": 0.5},
)
def l2(*, weight: Weight = 1e-4, only: Pattern | None = None) -> Regularizer:
    """Add λ Σ ‖W‖² to the loss; its gradient is 2λW.

    Differs: a coupled `weight_decay` d has the gradient dW, so λ = d/2.

    Args:
        weight: λ; applies to weights, not to biases or scales of batch norm.
        only: pattern of layer names, for example "head.*"; null for every layer.
    """
    return Regularizer(
        penalty=Penalty(
            value=partial(l2_value, weight=weight),
            add_gradient=partial(add_l2_gradient, weight=weight),
            only=only,
            second_derivative=2 * weight,
        )
    )


@regularizers.register(
    source="Tibshirani 1996, Regression shrinkage and selection via the lasso",
    unusual_from={"weight": 0.1},
)
def l1(*, weight: Weight = 1e-5, only: Pattern | None = None) -> Regularizer:
    """Add λ Σ |W| to the loss; its subgradient is λ·sign(W), with sign(0) = 0.

    Args:
        weight: λ; applies to weights, not to biases or scales of batch norm.
        only: pattern of layer names, for example "head.*"; null for every layer.
    """
    return Regularizer(
        penalty=Penalty(
            value=partial(l1_value, weight=weight),
            add_gradient=partial(add_l1_gradient, weight=weight),
            only=only,
        )
    )
