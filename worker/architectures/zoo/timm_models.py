"""Networks with a body from timm, which takes seconds to import and is imported on first use."""

import importlib
from typing import Any

from torch import nn

from worker.architectures.layers import ImageShape
from worker.architectures.zoo.network import Network, linear_head
from worker.architectures.zoo.torchvision_compat import import_torchvision


def import_timm() -> Any:
    """Import timm on first use and return it."""
    import_torchvision()
    return importlib.import_module("timm")


def build_from_timm(
    name: str, image_shape: ImageShape, classes: int, dropout: float, **options: Any
) -> nn.Module:
    """Build a network with a body from timm and a new linear classifier.

    Args:
        name: name of the network in timm.
        image_shape: channels, height, width; only the channels affect the network.
        classes: number of classes M.
        dropout: fraction of the pooled features dropped before the linear layer.
        **options: options for timm.
    """
    body = import_timm().create_model(name, in_chans=image_shape[0], num_classes=0, **options)
    return Network(body, linear_head(body.head_hidden_size, classes, dropout))
