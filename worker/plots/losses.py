"""A loss of one sample, over its error or over the margin of its class."""

import torch

from worker.plots.plot import Line, Plot, grid
from worker.registry import Entry

POINTS = 81


def plot_loss(entry: Entry) -> list[Plot]:
    """Return the loss of a sample: of a prediction by its error, of two classes by the margin."""
    places = grid(-4, 4, POINTS)
    if entry.facts.get("target") == "number":
        losses = [_of(entry, torch.tensor([[place]]), torch.zeros(1)) for place in places]
        return [
            Plot("Loss by error", "prediction − target", "loss", (Line("loss", places, losses),))
        ]
    label = torch.ones(1, dtype=torch.int64)
    losses = [_of(entry, torch.tensor([[0.0, place]]), label) for place in places]
    title = "Loss of two classes by the margin"
    axis = "score of the true class − score of the other"
    return [Plot(title, axis, "loss", (Line("loss", places, losses),))]


def _of(entry: Entry, outputs: torch.Tensor, targets: torch.Tensor) -> float:
    return float(entry.function(outputs, targets, **entry.defaults))
