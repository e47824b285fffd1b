"""Logistic regression."""

from collections import OrderedDict
from math import prod

from torch import nn

from worker.architectures.layers import ImageShape
from worker.registry import architectures


@architectures.register(
    source="Cox 1958, The regression analysis of binary sequences; with softmax for M classes",
    image_size={"minimum": 1, "default": 32},
    parameter_count_at={"channels": 3, "image_size": 32, "classes": 10},
    reference=None,
    has_batch_norm=False,
    activation_parameter=None,
)
def linear(image_shape: ImageShape, classes: int, /) -> nn.Module:
    """Logistic regression: a linear layer on the pixels.

    Args:
        image_shape: channels, height, width of an image.
        classes: number of classes M.

    Returns:
        A module from images [N, C, H, W] to logits [N, M]; all of its tensors are in the head.
    """
    head = nn.Sequential(OrderedDict(output=nn.Linear(prod(image_shape), classes)))
    return nn.Sequential(OrderedDict(flatten=nn.Flatten(), head=head))
