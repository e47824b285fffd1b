"""The new classifier of fine-tuning. Axes: N samples, M classes."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from worker.training.freezing import HEAD


@dataclass(frozen=True)
class Head:
    """The layers of a new head."""

    #: Widths of the hidden layers; none leaves one linear layer.
    hidden_units: Sequence[int] = (256,)
    #: The fraction of features dropped after each hidden layer, in [0, 1).
    dropout: float = 0.3


def put_new_head(model: nn.Module, outputs: int, head: Head) -> None:
    """Replace the head by flatten → [dense D → ReLU → dropout] for each D → dense M.

    Source: Chollet 2017, Deep Learning with Python, section 5.3.

    Args:
        model: a network whose classifier is `head`; changed in place.
        outputs: classes M, or 1 for a regression.
        head: the layers of the new head.
    """
    old = model.get_submodule(HEAD)
    features = next(layer.in_features for layer in old.modules() if isinstance(layer, nn.Linear))
    layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    for number, width in enumerate(head.hidden_units, start=1):
        layers[f"hidden{number}"] = nn.Linear(features, width)
        layers[f"activation{number}"] = nn.ReLU()
        layers[f"dropout{number}"] = nn.Dropout(head.dropout)
        features = width
    layers["output"] = nn.Linear(features, outputs)
    model.set_submodule(HEAD, nn.Sequential(layers))
