"""Losses for regression. Axes: N samples; the network has one output.

The target of a table is standardized by default. Then losses are in standard deviations of the
training targets (`l2` in their square), while errors and predictions are in the target's own unit.
"""

from typing import Annotated

from pydantic import Field
from torch import Tensor

from worker.registry import losses

SOURCE = "Bishop 2006, Pattern Recognition and Machine Learning, section "


@losses.register(source=f"{SOURCE}1.5.5, equation 1.91 with q = 1", target="number")
def l1(outputs_N1: Tensor, targets_N: Tensor, /) -> Tensor:
    """|y − f|, averaged over samples; less sensitive to outliers than `l2`."""
    return _errors(outputs_N1, targets_N).abs().mean()


@losses.register(source=f"{SOURCE}1.5.5, equation 1.86", target="number")
def l2(outputs_N1: Tensor, targets_N: Tensor, /) -> Tensor:
    """(y − f)², averaged over samples, without the factor ½ that some books use."""
    return _errors(outputs_N1, targets_N).square().mean()


@losses.register(source=f"{SOURCE}7.1.4, equation 7.51", target="number")
def epsilon_insensitive(
    outputs_N1: Tensor,
    targets_N: Tensor,
    /,
    *,
    epsilon: Annotated[float, Field(ge=0, le=1e6)] = 0.1,
) -> Tensor:
    """max(0, |y − f| − ε), averaged over samples: errors up to ε are ignored.

    Args:
        outputs_N1: predictions f.
        targets_N: targets y.
        epsilon: ε, in standard deviations of the training targets where the target is standardized
            (the default for tables), else in the unit of the target; 0 gives `l1`.
    """
    return (_errors(outputs_N1, targets_N).abs() - epsilon).clamp_min(0).mean()


def _errors(outputs_N1: Tensor, targets_N: Tensor) -> Tensor:
    """Return f − y, without broadcasting [N, 1] against [N]."""
    return outputs_N1.squeeze(1) - targets_N
