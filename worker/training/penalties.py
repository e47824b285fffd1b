"""The penalties Ω of a network, as one value and one gradient."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from worker.regularizers.regularizer import Penalty, Regularizer
from worker.training.parameters import select, weights


class Penalties:
    """Each penalty with the weights that it applies to."""

    def __init__(self, model: nn.Module, regularizers: Iterable[Regularizer]) -> None:
        named = weights(model)
        self._terms: list[tuple[Penalty, list[nn.Parameter]]] = [
            (penalty, list(select(named, penalty.only, "regularizers").values()))
            for regularizer in regularizers
            if (penalty := regularizer.penalty) is not None
        ]

    @torch.no_grad()
    def value(self) -> Tensor | None:
        """Return Ω of the present weights, a scalar on the device; None without penalties."""
        if not self._terms:
            return None
        parts = [penalty.value([*tensors]) for penalty, tensors in self._terms]
        return torch.stack(parts).sum()

    def number(self) -> float:
        """Return Ω of the present weights, 0 without penalties; waits for the device."""
        value = self.value()
        return 0.0 if value is None else value.item()

    @torch.no_grad()
    def add_gradients(self) -> None:
        """Add dΩ/dW to the gradients of the backward pass; frozen weights have none."""
        for penalty, tensors in self._terms:
            trained = [tensor for tensor in tensors if tensor.grad is not None]
            gradients = [tensor.grad for tensor in trained if tensor.grad is not None]
            if trained:  # PyTorch refuses an empty list, which a stage that freezes all would give
                penalty.add_gradient([*trained], gradients)

    @torch.no_grad()
    def add_hessian_product(
        self, vectors: Mapping[nn.Parameter, Tensor], products: Mapping[nn.Parameter, Tensor]
    ) -> None:
        """Add the product of Ω's Hessian with a vector to a product, by parameter, in place."""
        for penalty, tensors in self._terms:
            for tensor in tensors:
                if tensor in products:
                    products[tensor].add_(vectors[tensor], alpha=penalty.second_derivative)
