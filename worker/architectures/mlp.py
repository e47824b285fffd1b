"""The fully connected network."""

from collections import OrderedDict
from math import prod

from torch import nn

from worker.architectures.layers import (
    Activation,
    HiddenUnits,
    ImageShape,
    Momentum,
    Rate,
    dense_stack,
)
from worker.registry import architectures


@architectures.register(
    source="Rumelhart, Hinton & Williams 1986, Learning representations by back-propagating errors",
    image_size={"minimum": 1, "default": 32},
    parameter_count_at={"channels": 3, "image_size": 32, "classes": 10},
    reference=None,
    has_batch_norm=False,
    activation_parameter="activation",
)
def mlp(
    image_shape: ImageShape,
    classes: int,
    /,
    *,
    hidden_units: HiddenUnits = (128,),
    activation: Activation = "relu",
    dropout: Rate = 0.0,
    batch_norm: bool = False,
    batch_norm_momentum: Momentum = 0.9,
) -> nn.Module:
    """A fully connected network: flatten, hidden layers, a linear head.

    Args:
        image_shape: channels, height, width of an image.
        classes: number of classes M.
        hidden_units: widths of the hidden layers.
        activation: activation function after each hidden layer. `leaky_relu` has the
            slope 0.01 below 0, as in PyTorch (Keras: 0.3 as a layer, 0.2 as a function), `elu` has
            α = 1, and `gelu` is x·Φ(x), not its approximation by tanh.
        dropout: fraction of features dropped after each hidden layer, in [0, 1).
        batch_norm: whether batch norm (epsilon 1e-3) follows each activation.
        batch_norm_momentum: θ in running ← θ·running + (1−θ)·batch; PyTorch's momentum is 1−θ.

    Returns:
        A module from images [N, C, H, W] to logits [N, M]; the head is the last layer.
    """
    body, features = dense_stack(
        prod(image_shape),
        hidden_units,
        activation=activation,
        dropout=dropout,
        batch_norm=batch_norm,
        batch_norm_momentum=batch_norm_momentum,
    )
    return nn.Sequential(
        OrderedDict(
            flatten=nn.Flatten(),
            body=nn.Sequential(body),
            head=nn.Sequential(OrderedDict(output=nn.Linear(features, classes))),
        )
    )
