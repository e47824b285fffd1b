"""The first weights of a network, as a function of the seed and of each tensor's name alone."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from worker.initializers.draw import Draw, fans
from worker.training.parameters import layers, matches, weights
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
    """Fill every weight, set biases to 0 and scales of normalisations to 1.

    Each weight has a generator of its own, so that what else the specification says (another
    layer switched on, another optimizer) changes no weight.

    Args:
        model: the network, changed in place.
        seed: the job's seed.
        initializer: what every weight is drawn from.
        overrides: other initializers for layers by a pattern of names; where several match
            a layer, the longest does, since it says most.
        activation: the network's activation, for initializers that go by it.

    Raises:
        ValueError: a pattern matches no weight.
    """
    overrides = overrides or {}
    named = weights(model)
    for pattern in overrides:
        if not any(matches(name, pattern) for name in named):
            raise ValueError(
                f"initializer: the pattern {pattern!r} matches no layer; there are: {layers(named)}"
            )
    for name, weight in named.items():
        fitting = [pattern for pattern in overrides if matches(name, pattern)]
        chosen = max(fitting, key=lambda pattern: (len(pattern), pattern), default=None)
        fan_in, fan_out = fans(tuple(weight.shape))
        # Drawn contiguous on the CPU: neither device nor memory layout changes a figure.
        drawn = torch.empty(weight.shape, dtype=torch.float32)
        draw = Draw(fan_in, fan_out, activation, generator(seed, "weight", name))
        (initializer if chosen is None else overrides[chosen])(drawn, draw)
        weight.copy_(drawn)
    for name, tensor in model.named_parameters():
        if name not in named:
            tensor.fill_(1.0 if name.endswith("weight") else 0.0)
