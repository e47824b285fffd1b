"""Label smoothing. Axes: N samples, M classes."""

from functools import partial
from typing import Annotated

from pydantic import Field
from torch import Tensor
from torch.nn import functional

from worker.registry import regularizers
from worker.regularizers.regularizer import Regularizer


def as_probabilities(targets: Tensor, classes: int) -> Tensor:
    """Return targets as probabilities [N, M]: classes [N] become one-hot, probabilities stay."""
    if targets.is_floating_point():
        return targets
    return functional.one_hot(targets, classes).float()


def smooth(targets: Tensor, classes: int, alpha: float) -> Tensor:
    """Return (1−α)·target + α/M as probabilities [N, M]."""
    return as_probabilities(targets, classes).mul(1 - alpha).add(alpha / classes)


def _smooth_batch(
    images_NCHW: Tensor,
    targets: Tensor,
    classes: int,
    *,
    alpha: float,
) -> tuple[Tensor, Tensor]:
    return images_NCHW, smooth(targets, classes, alpha)


@regularizers.register(
    source="Szegedy et al. 2015, arXiv:1512.00567, section 7",
    needs_classes=True,
    makes_probabilities=True,
    unusual_from={"alpha": 0.9},
)
def label_smoothing(*, alpha: Annotated[float, Field(ge=0, le=1)] = 0.1) -> Regularizer:
    """Train on the targets (1−α)·one-hot + α/M.

    Validation uses the original labels, so that jobs with and without smoothing are comparable.

    Args:
        alpha: α, the fraction of the target that is spread over all classes; 0 leaves the label as
            it is, 1 removes it.
    """
    return Regularizer(on_batch=partial(_smooth_batch, alpha=alpha))
