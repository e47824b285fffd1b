"""Layers shared by several networks.

The name of a layer selects its random initial weights, so names do not depend on other settings:
`hidden1` is `hidden1` with and without batch norm. Axes: N samples, F features.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field
from torch import nn

from worker.regularizers.batch_norm import torch_momentum

Activation = Literal["sigmoid", "tanh", "relu", "elu", "leaky_relu", "gelu", "silu"]
Momentum = Annotated[float, Field(ge=0, lt=1)]
Rate = Annotated[float, Field(ge=0, lt=1)]
HiddenUnits = Annotated[
    Sequence[Annotated[int, Field(ge=1, le=65_536)]], Field(min_length=1, max_length=32)
]
#: Channels, height, width.
ImageShape = tuple[int, int, int]

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "elu": nn.ELU,
    "leaky_relu": nn.LeakyReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
}

#: Keras's default; PyTorch's is 1e-5.
BATCH_NORM_EPSILON = 1e-3


def batch_norm_1d(features: int, momentum: float) -> nn.BatchNorm1d:
    """Return batch norm over [N, F]; `momentum` is θ in running ← θ·running + (1−θ)·batch."""
    return nn.BatchNorm1d(features, eps=BATCH_NORM_EPSILON, momentum=torch_momentum(momentum))


def batch_norm_2d(channels: int, momentum: float) -> nn.BatchNorm2d:
    """Return batch norm over [N, C, H, W]; `momentum` is θ in running ← θ·running + (1−θ)·batch."""
    return nn.BatchNorm2d(channels, eps=BATCH_NORM_EPSILON, momentum=torch_momentum(momentum))


def dense_stack(
    features: int,
    hidden_units: Sequence[int],
    *,
    activation: str,
    dropout: float,
    batch_norm: bool,
    batch_norm_momentum: float,
) -> tuple["OrderedDict[str, nn.Module]", int]:
    """Build dense → activation → batch norm → dropout for each width.

    Returns:
        The layers by name, and the number of features after the last layer.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for number, width in enumerate(hidden_units, start=1):
        layers[f"hidden{number}"] = nn.Linear(features, width)
        layers[f"activation{number}"] = ACTIVATIONS[activation]()
        if batch_norm:
            layers[f"norm{number}"] = batch_norm_1d(width, batch_norm_momentum)
        layers[f"dropout{number}"] = nn.Dropout(dropout)
        features = width
    return layers, features
