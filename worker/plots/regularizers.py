"""The penalty of a regularizer on a weight."""

import torch

from worker.plots.plot import Line, Plot, grid
from worker.registry import Entry

POINTS = 81


def plot_regularizer(entry: Entry) -> list[Plot]:
    """Return the penalty on a single weight; nothing for a regularizer without a penalty."""
    penalty = entry.function(**entry.defaults).penalty
    if penalty is None:
        return []
    places = grid(-2, 2, POINTS)
    values = [float(penalty.value([torch.tensor([place])])) for place in places]
    gradients = [_gradient(penalty, place) for place in places]
    lines = (Line("penalty", places, values), Line("its gradient", places, gradients))
    return [Plot("Penalty on a weight", "weight", "part of the loss", lines)]


def _gradient(penalty, place: float) -> float:  # noqa: ANN001
    gradient = torch.zeros(1)
    penalty.add_gradient([torch.tensor([place])], [gradient])
    return float(gradient)
