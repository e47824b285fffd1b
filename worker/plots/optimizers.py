"""The path of an optimizer through a valley that is ten times as steep across as along."""

import math

import torch

from worker.plots.plot import Line, Plot
from worker.registry import Entry

#: Curvatures along and across the valley, and the start.
CURVATURES = (1.0, 10.0)
START = (-4.0, 1.0)
STEPS = 60
LEARNING_RATES = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003)
LEVELS = (0.5, 2.0, 8.0)


def plot_optimizer(entry: Entry) -> list[Plot]:
    """Return the path and the objective, with the learning rate that ends lowest."""
    paths = {rate: _path(entry, rate) for rate in LEARNING_RATES}
    rate = min(paths, key=lambda each: _objective(paths[each][-1]))
    path, label = paths[rate], f"learning rate {rate:g}"
    levels = [_level(height) for height in LEVELS]
    heights = [_objective(place) for place in path]
    return [
        Plot(
            "Path of 60 updates through a valley",
            "along",
            "across",
            (Line(label, [x for x, _ in path], [y for _, y in path]), *levels),
        ),
        Plot(
            "Height in the valley",
            "updates",
            "½(x² + 10y²)",
            (Line(label, list(range(STEPS + 1)), heights),),
            is_y_log=True,
        ),
    ]


def _path(entry: Entry, rate: float) -> list[tuple[float, float]]:
    place = torch.nn.Parameter(torch.tensor(START))
    optimizer = entry.function([place], rate, **entry.defaults)
    curvatures, places = torch.tensor(CURVATURES), [START]
    for _ in range(STEPS):
        place.grad = curvatures * place.detach()
        optimizer.step()
        x, y = place.detach().tolist()
        places.append((x, y))
    return places


def _objective(place: tuple[float, float]) -> float:
    height = sum(c * value * value for c, value in zip(CURVATURES, place, strict=True)) / 2
    return height if math.isfinite(height) else math.inf


def _level(height: float) -> Line:
    """Return the ellipse on which the objective has this value."""
    radii = [math.sqrt(2 * height / curvature) for curvature in CURVATURES]
    angles = [2 * math.pi * index / 60 for index in range(61)]
    across = [radii[1] * math.sin(angle) for angle in angles]
    return Line(f"height {height:g}", [radii[0] * math.cos(angle) for angle in angles], across)
