"""Bodies from timm, which is imported when the first one is built: it takes seconds."""

import importlib
from typing import Any

from torch import nn

from worker.architectures.layers import ImageShape
from worker.architectures.zoo.network import Network, linear_head
from worker.architectures.zoo.torchvision_compat import import_torchvision


def import_timm() -> Any:
    """The library, imported on first use."""
    import_torchvision()
    return importlib.import_module("timm")


def from_library(
    name: str, image_shape: ImageShape, classes: int, dropout: float, **options: Any
) -> nn.Module:
    """A network whose body is timm's, its own classifier left out.

    Args:
        name: timm's name of the network.
        image_shape: channels, height, width; only the channels change what is built.
        classes: how many classes there are, M.
        dropout: share of the pooled features dropped before the linear layer.
        **options: passed on to timm.
    """
    body = import_timm().create_model(name, in_chans=image_shape[0], num_classes=0, **options)
    return Network(body, linear_head(body.head_hidden_size, classes, dropout))
