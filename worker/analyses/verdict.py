"""What kind of point of the objective the weights are, in words."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from worker.analyses.lanczos import Spectrum
from worker.analyses.objective import Objective
from worker.analyses.partial_results import PartialResults

Shape = Literal["minimum-like", "saddle", "maximum", "flat", "undetermined"]
NOT_CRITICAL = "not a critical point"

#: Eigenvalues smaller than this share of the largest modulus count as flat.
FLAT_SHARE = 0.01
#: A point is critical if an exact step along the gradient lowers J by less than this share.
MAX_DECREASE = 1e-3
FOLDS = 8
#: A gradient of fewer standard errors cannot be distinguished from zero.
STANDARD_ERRORS = 2.0


@dataclass(frozen=True)
class Slope:
    """How steep the objective is, and whether that makes the point critical."""

    gradient_norm: float
    #: Of the gradient's mean over samples, from folds; 0 where all samples of the split were used.
    standard_error: float
    #: By which share of J a step of exact length along −g lowers its quadratic model; infinite
    #: where the model falls without an end.
    relative_decrease: float
    is_critical: bool


def measure_slope(
    objective: Objective,
    gradient_P: Tensor,
    *,
    value: float,
    is_sample: bool,
    partial: PartialResults,
) -> Slope:
    """Return how steep the objective is.

    The decrease of the quadratic model along −g is (gᵀg)²/(2·gᵀHg) (Nocedal & Wright 2006,
    Numerical optimization, equation 3.26).

    Args:
        objective: J.
        gradient_P: its gradient.
        value: of J.
        is_sample: whether further samples of the split exist; then the standard error of the
            gradient, from folds, is compared with its norm.
        partial: keeps what takes a pass over the samples.
    """
    norm = gradient_P.double().norm().item()
    rounding = torch.finfo(objective.dtype).eps * objective.size**0.5
    if norm <= rounding:
        return Slope(norm, 0.0, 0.0, is_critical=True)
    direction_P = gradient_P / norm
    along = partial.once(
        "slope/curvature",
        lambda: torch.dot(direction_P.double(), objective.product(direction_P).double()),
    ).item()
    decrease = norm**2 / (2 * along * value) if along > 0 and value > 0 else float("inf")
    error = _standard_error(objective, partial) if is_sample else 0.0
    is_critical = decrease <= MAX_DECREASE or norm <= STANDARD_ERRORS * error
    return Slope(norm, error, decrease, is_critical)


def _standard_error(objective: Objective, partial: PartialResults) -> float:
    """Return the standard error of the mean gradient: √(Σ‖g_f − ḡ‖²/(F(F−1)))."""

    def compute() -> Tensor:
        folds = objective.folds(FOLDS)
        gradients_FP = torch.stack([fold.gradient().double() for fold in folds])
        squares = (gradients_FP - gradients_FP.mean(0)).square().sum()
        return (squares / (FOLDS * (FOLDS - 1))).sqrt()

    return partial.once("slope/error", compute).item()


def flat_limit(spectrum: Spectrum, rounding: float) -> float:
    """Return ε: eigenvalues between −ε and ε count as flat directions."""
    largest = max(abs(spectrum.lowest[0]), abs(spectrum.highest[0]))
    return max(FLAT_SHARE * largest, rounding)


def shape_of(spectrum: Spectrum, limit: float) -> Shape:
    """Return what the eigenvalues say.

    A Ritz value below −ε proves that the objective falls in some direction, since the lowest
    eigenvalue is no larger (Courant & Fischer). That no eigenvalue is below −ε is said only where
    the residual of the lowest Ritz value allows it, and likewise above ε.

    Args:
        spectrum: of the Hessian.
        limit: ε.
    """
    (low, low_residual), (high, high_residual) = spectrum.lowest, spectrum.highest
    falls, rises = low < -limit, high > limit
    may_fall = low_residual > limit or low - low_residual < -limit
    may_rise = high_residual > limit or high + high_residual > limit
    if (not falls and may_fall) or (not rises and may_rise):
        return "undetermined"
    if falls:
        return "saddle" if rises else "maximum"
    return "minimum-like" if rises else "flat"
