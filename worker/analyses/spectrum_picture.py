"""The picture of a curvature: the Ritz values, and how both ends settled."""

from collections.abc import Mapping
from typing import Any

from worker.analyses.drawing import BLUE, DASHED, GREEN, GREY, ORANGE, set_titles
from worker.analyses.lanczos import Spectrum
from worker.analyses.wording import count, number


def draw_spectrum(drawing: Any, spectrum: Spectrum, result: Mapping[str, Any]) -> None:
    """Draw the Ritz values with their residuals, and how the ends settled.

    Args:
        drawing: of matplotlib, empty.
        spectrum: the Ritz values.
        result: of the analysis.
    """
    left, right = drawing.subplots(1, 2)
    values, limit = spectrum.values_K.tolist(), result["flat_limit"]
    numbers = range(1, len(values) + 1)
    residuals = spectrum.residuals_K.tolist()
    left.axhspan(-limit, limit, color=GREY, alpha=0.2, linewidth=0, label="counts as flat")
    left.axhline(0, color=GREY, linewidth=0.8)
    left.errorbar(
        numbers, values, yerr=residuals, fmt=".", color=BLUE, capsize=2, label="value ± residual"
    )
    left.set_xlabel("Ritz values, in increasing order")
    left.set_ylabel("eigenvalue of the Hessian")
    left.legend(loc="upper left")
    ends = spectrum.ends_K2
    right.plot(numbers, ends[:, 1].tolist(), color=BLUE, label="largest")
    right.plot(numbers, ends[:, 0].tolist(), color=ORANGE, linestyle=DASHED, label="smallest")
    edge = result["stability_edge"]
    if edge is not None and edge["lambda"] < 3 * max(values[-1], 0):
        right.axhline(edge["lambda"], color=GREEN, linestyle=":", label="stability edge")
    right.set_xlabel("iterations of Lanczos")
    right.set_ylabel("smallest and largest Ritz value")
    right.legend(loc="center right")
    norm = number(result["gradient_norm"], 3)
    set_titles(
        drawing,
        f"Curvature: {result['point']}; ‖gradient‖ {norm}",
        f"Hessian on {result['samples']:,} of {count(result['of_samples'], 'training sample')}, "
        f"{count(result['parameters'], 'parameter')}, {result['precision']}, seed {result['seed']}",
    )
