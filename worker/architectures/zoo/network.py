"""A network as a body that ends in pooled features, and a head."""

from collections import OrderedDict

from torch import Tensor, nn


class Network(nn.Module):
    """Body and head; the names of the classifier's tensors start with `head.`.

    Axes: N samples, C channels, H height, W width, M classes.
    """

    def __init__(self, body: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.head = head

    def forward(self, images_NCHW: Tensor) -> Tensor:
        """Return the logits [N, M] of images."""
        return self.head(self.body(images_NCHW))


def linear_head(features: int, classes: int, dropout: float) -> nn.Sequential:
    """Build dropout and a linear layer: from features [N, F] to logits [N, M]."""
    return nn.Sequential(
        OrderedDict(dropout=nn.Dropout(dropout), output=nn.Linear(features, classes))
    )
