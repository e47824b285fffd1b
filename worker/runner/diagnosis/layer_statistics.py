"""Statistics of each layer's outputs during forward passes, by hooks that are removed afterwards.

Axes: N samples, U units (channels or features).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

#: Layers with weights, and activation functions by name. The bounded functions saturate.
WEIGHT_LAYERS = (nn.Linear, nn.Conv2d)
ACTIVATIONS: dict[type[nn.Module], str] = {
    nn.ReLU: "relu",
    nn.ReLU6: "relu6",
    nn.Sigmoid: "sigmoid",
    nn.Tanh: "tanh",
    nn.ELU: "elu",
    nn.LeakyReLU: "leaky_relu",
    nn.GELU: "gelu",
    nn.SiLU: "silu",
}
#: Functions whose outputs are 0 for every input below 0.
ZERO_BELOW = frozenset({nn.ReLU, nn.ReLU6})
#: The flat parts of a bounded function begin at outputs below and above these.
FLAT_PARTS: dict[type[nn.Module], tuple[float, float]] = {
    nn.Sigmoid: (0.05, 0.95),
    nn.Tanh: (-0.95, 0.95),
}


@dataclass
class LayerSums:
    """The sums over the outputs of a layer; tensors stay on the device until they are read."""

    function: str | None
    is_normalized: bool = False
    elements: int = 0
    total: list[Tensor] = field(default_factory=list)
    squares: list[Tensor] = field(default_factory=list)
    #: The largest output of each unit, [U], of functions that are 0 below 0.
    largest_U: Tensor | None = None
    flat: list[Tensor] = field(default_factory=list)


@contextmanager
def layer_statistics(model: nn.Module) -> Iterator[dict[str, LayerSums]]:
    """Collect statistics of each layer, in the order of the forward pass, within the block."""
    sums: dict[str, LayerSums] = {}
    last_weight_layer: list[str] = []

    def measure(name: str, layer: nn.Module) -> torch.utils.hooks.RemovableHandle:
        def hook(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            if isinstance(layer, _BatchNorm):
                if last_weight_layer:
                    sums[last_weight_layer[-1]].is_normalized = True
                return
            if isinstance(layer, WEIGHT_LAYERS):
                last_weight_layer.append(name)
            _add(sums, name, layer, output.detach())

        return layer.register_forward_hook(hook)

    kinds = (*WEIGHT_LAYERS, *ACTIVATIONS, _BatchNorm)
    handles = [measure(n, m) for n, m in model.named_modules() if isinstance(m, kinds)]
    try:
        yield sums
    finally:
        for handle in handles:
            handle.remove()


def _add(sums: dict[str, LayerSums], name: str, layer: nn.Module, output: Tensor) -> None:
    kind = type(layer)
    entry = sums.setdefault(name, LayerSums(ACTIVATIONS.get(kind)))
    values = output.float()
    entry.elements += values.numel()
    entry.total.append(values.sum(dtype=torch.float64))
    entry.squares.append(values.square().sum(dtype=torch.float64))
    if kind in ZERO_BELOW:
        others = [axis for axis in range(values.ndim) if axis != 1]
        largest_U = values.amax(others) if others else values
        entry.largest_U = (
            largest_U if entry.largest_U is None else torch.maximum(entry.largest_U, largest_U)
        )
    if kind in FLAT_PARTS:
        low, high = FLAT_PARTS[kind]
        entry.flat.append(((values < low) | (values > high)).sum())


@contextmanager
def first_statistics(model: nn.Module, *, is_enabled: bool) -> Iterator[list[Tensor]]:
    """Collect how far the inputs of the first batch norm are from its running statistics.

    The list has a value for each forward pass: |mean of the batch − running mean| over the running
    deviation, as a mean over the channels.
    """
    shifts: list[Tensor] = []
    first = next((m for m in model.modules() if isinstance(m, _BatchNorm)), None)
    if not is_enabled or first is None or first.running_mean is None or first.running_var is None:
        yield shifts
        return
    running_U, deviation_U = first.running_mean, (first.running_var + first.eps).sqrt()

    def hook(_layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        values = inputs[0].detach().float()
        mean_U = values.mean([axis for axis in range(values.ndim) if axis != 1])
        shifts.append(((mean_U - running_U).abs() / deviation_U).mean())

    handle = first.register_forward_pre_hook(hook)
    try:
        yield shifts
    finally:
        handle.remove()
