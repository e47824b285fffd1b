"""A network as its parameters by layer, and the activation functions that it offers."""

from itertools import accumulate

import torch

from worker.architectures.layers import ACTIVATIONS
from worker.plots.plot import Line, Plot, grid
from worker.registry import Entry
from worker.training.meta_model import build_on_meta

POINTS = 81
#: Points of the line of a deep network.
MAX_LAYERS = 80
#: Lines of a plot.
PER_PLOT = 4


def plot_architecture(entry: Entry) -> list[Plot]:
    """Return the parameters from the first layer to the last, and activations to choose from."""
    at = entry.facts["parameter_count_at"]
    shape = (at["channels"], at["image_size"], at["image_size"])
    model = build_on_meta(entry.name, entry.defaults, shape, at["classes"])
    counts = [
        sum(parameter.numel() for parameter in module.parameters(recurse=False))
        for module in model.modules()
    ]
    sums = list(accumulate(count for count in counts if count))
    every = -(-len(sums) // MAX_LAYERS)
    layers = sorted({*range(0, len(sums), every), len(sums) - 1})
    line = Line("parameters", [each + 1 for each in layers], [sums[each] for each in layers])
    plot = Plot("Parameters up to each layer", "layer", "parameters", (line,))
    has_activations = entry.facts["activation_parameter"] is not None
    return [*(_activations() if has_activations else []), *([plot] if len(sums) > 1 else [])]


def _activations() -> list[Plot]:
    places = grid(-4, 4, POINTS)
    inputs = torch.tensor(places)
    lines = [
        Line(name, places, activation()(inputs).tolist())
        for name, activation in ACTIVATIONS.items()
    ]
    return [
        Plot("Activation functions", "input", "output", tuple(lines[first : first + PER_PLOT]))
        for first in range(0, len(lines), PER_PLOT)
    ]
