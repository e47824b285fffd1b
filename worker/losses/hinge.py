"""The multi-class hinge loss. Axes: N samples, M classes."""

from torch import Tensor

from worker.registry import losses


@losses.register(source="Weston & Watkins 1999, Support vector machines for multi-class, eq. 4")
def hinge(logits_NM: Tensor, labels_N: Tensor, /) -> Tensor:
    """Σ max(0, 1 + s_j − s_y) over the classes j ≠ y, averaged over samples.

    Differs: PyTorch's `multi_margin_loss` also divides by M.

    Args:
        logits_NM: scores, any real numbers.
        labels_N: classes.

    Returns:
        A scalar; M − 1 for equal scores.
    """
    own_N1 = logits_NM.gather(1, labels_N.unsqueeze(1))
    # The term j = y is exactly 1. NaN in a score propagates to the loss.
    return ((logits_NM - own_N1 + 1).clamp_min(0).sum(1) - 1).mean()
