"""The first weights of a network: a function of the seed and of each tensor's name alone."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from worker.initializers.draw import Draw, fans
from worker.registry import SpecError
from worker.training.parameters import matches, no_layer, weights
from worker.training.seed import generator

Initializer = Callable[[Tensor, Draw], None]


@torch.no_grad()
def initialize(
    model: nn.Module,
    seed: int,
    initializer: Initializer,
    *,
    overrides: Mapping[str, Initializer] | None = None,
    activation: str | None = None,
) -> None:
    """Fill every weight, set biases to 0 and the scales of normalizations to 1.

    Each weight has a separate generator, so that another part of the specification, such as a
    further layer or another optimizer, changes no weight.

    Args:
        model: the network, changed in place.
        seed: the job's seed.
        initializer: fills every weight without an override.
        overrides: other initializers by a pattern of layer names. If several patterns match a
            layer, the longest counts, since it is the most specific.
        activation: the network's activation, for initializers that depend on it.

    Raises:
        SpecError: a pattern matches no weight.
    """
    overrides = overrides or {}
    named = weights(model)
    for pattern in overrides:
        if not any(matches(name, pattern) for name in named):
            raise SpecError(f"initializer: {no_layer(pattern, named)}")
    for name, weight in named.items():
        fitting = [pattern for pattern in overrides if matches(name, pattern)]
        longest = max(fitting, key=lambda pattern: (len(pattern), pattern), default=None)
        fan_in, fan_out = fans(tuple(weight.shape))
        # Drawn contiguous on the CPU: neither device nor memory layout changes a value.
        drawn = torch.empty(weight.shape, dtype=torch.float32)
        draw = Draw(fan_in, fan_out, activation, generator(seed, "weight", name))
        (initializer if longest is None else overrides[longest])(drawn, draw)
        weight.copy_(drawn)
    for name, tensor in model.named_parameters():
        if name not in named:
            tensor.fill_(1.0 if name.endswith("weight") else 0.0)
