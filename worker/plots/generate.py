"""The generator of `shared/catalog_plots.json`."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from shared import catalog
from worker.plots.architectures import plot_architecture
from worker.plots.initializers import plot_initializer
from worker.plots.losses import plot_loss
from worker.plots.optimizers import plot_optimizer
from worker.plots.plot import Plot
from worker.plots.regularizers import plot_regularizer
from worker.plots.schedules import plot_schedule
from worker.registry import SLOTS, Entry

#: By slot; methods of other slots have no plot.
PLOTTERS: Mapping[str, Callable[[Entry], list[Plot]]] = {
    "architectures": plot_architecture,
    "initializers": plot_initializer,
    "losses": plot_loss,
    "optimizers": plot_optimizer,
    "regularizers": plot_regularizer,
    "schedules": plot_schedule,
}
#: Another machine's arithmetic may differ by this, relative to the largest value of a line.
TOLERANCE = 2e-3


def generate() -> catalog.Plots:
    """Return the plots of every registered method that has any, by slot and name."""
    return {
        slot: {
            name: [each.as_json() for each in plots]
            for name, entry in SLOTS[slot].entries().items()
            if (plots := plotter(entry))
        }
        for slot, plotter in PLOTTERS.items()
    }


def is_fresh(generated: catalog.Plots, tolerance: float = TOLERANCE) -> bool:
    """Return whether the committed file has these plots, but for the machine's arithmetic."""
    return catalog.PLOTS_PATH.exists() and _is_near(catalog.load_plots(), generated, tolerance)


def _is_near(first: Any, second: Any, tolerance: float) -> bool:
    """Return whether values are equal, and lists of numbers nearly so."""
    if isinstance(first, dict) and isinstance(second, dict):
        same = first.keys() == second.keys()
        return same and all(_is_near(first[key], second[key], tolerance) for key in first)
    if isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        if all(isinstance(each, int | float) for each in (*first, *second)):
            scale = max((abs(each) for each in first), default=0.0)
            return all(
                math.isclose(a, b, abs_tol=tolerance * scale)
                for a, b in zip(first, second, strict=True)
            )
        return all(_is_near(a, b, tolerance) for a, b in zip(first, second, strict=True))
    return first == second
