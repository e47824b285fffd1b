"""The weights that an initializer draws: their distribution, and their scale by layer width."""

import torch
from torch import Tensor

from worker.initializers.draw import Draw, fans
from worker.plots.plot import Line, Plot
from worker.registry import Entry

WIDTH = 256
#: Units of a layer whose scale is shown.
WIDTHS = (10, 22, 46, 100, 215, 464, 1000)
BINS = 41
SEED = 0


def plot_initializer(entry: Entry) -> list[Plot]:
    """Return the distribution at 256 inputs and outputs, and the deviation by their number."""
    weights = _draw(entry, WIDTH)
    bound = float(weights.abs().max()) or 1.0
    counts = torch.histc(weights, BINS, -bound, bound)
    step = 2 * bound / BINS
    centers = [-bound + step * (index + 0.5) for index in range(BINS)]
    densities = (counts / (weights.numel() * step)).tolist()
    density = Line(f"{WIDTH} inputs, {WIDTH} outputs", centers, densities)
    deviations = [float(_draw(entry, width).std()) for width in WIDTHS]
    scale = Line("standard deviation", WIDTHS, deviations)
    is_log = min(deviations) > 0
    return [
        Plot("Distribution of the weights", "weight", "density", (density,)),
        Plot(
            "Scale by the width of the layer",
            "inputs = outputs",
            "standard deviation",
            (scale,),
            is_x_log=True,
            is_y_log=is_log,
        ),
    ]


def _draw(entry: Entry, width: int) -> Tensor:
    """Return a weight of a dense layer with `width` inputs and outputs."""
    weight = torch.empty(width, width)
    generator = torch.Generator().manual_seed(SEED)
    entry.function(weight, Draw(*fans((width, width)), None, generator), **entry.defaults)
    return weight
