"""What the pictures of analyses share: colours, titles, logarithmic axes.

The colours are from Okabe & Ito's palette, which people with any colour vision can tell apart;
lines differ in their dashes too. Analyses do not import matplotlib: the caller gives the drawing.
"""

import math
from collections.abc import Iterable
from typing import Any

from worker.analyses.wording import number, ticks

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#666666"
#: As on the pages: validation is solid, training is dashed.
DASHED = (0, (6, 4))
CAPTION_SIZE = 10
#: Values with a larger ratio are drawn on a logarithmic axis.
MAX_LINEAR_RATIO = 20.0


def set_titles(drawing: Any, title: str, caption: str) -> None:
    """Write what the picture shows above it, and below it what it was computed from."""
    drawing.suptitle(title, fontsize=14)
    drawing.supxlabel(caption, fontsize=CAPTION_SIZE, color=GREY)


def use_log_scale(
    axes: Any, axis: str, values: Iterable[float], *, ratio: float = MAX_LINEAR_RATIO
) -> None:
    """Make an axis logarithmic, with numbers rather than powers, if its values suit that.

    Args:
        axes: of matplotlib.
        axis: "x" or "y".
        values: that are drawn; of them the finite count.
        ratio: of the largest to the smallest value, from which the axis is logarithmic.
    """
    finite = [value for value in values if math.isfinite(value)]
    if not finite or min(finite) <= 0 or max(finite) < ratio * min(finite):
        return
    low, high = min(finite), max(finite)
    margin = (high / low) ** 0.04
    low, high = low / margin, high * margin
    shown = ticks(low, high)
    getattr(axes, f"set_{axis}scale")("log")
    getattr(axes, f"set_{axis}lim")(low, high)
    getattr(axes, f"set_{axis}ticks")(shown, [number(value) for value in shown])
    getattr(axes, f"set_{axis}ticks")([], minor=True)
