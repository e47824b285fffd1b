"""The multi-class hinge loss. Axes: N samples, M classes."""

from torch import Tensor

from worker.registry import losses


@losses.register(source="Weston & Watkins 1999, Support vector machines for multi-class, eq. 4")
def hinge(logits_NM: Tensor, labels_N: Tensor, /) -> Tensor:
    """Σ max(0, 1 + s_j − s_y) over the classes j ≠ y, the mean over samples.

    Differs: PyTorch's `multi_margin_loss` divides by M, and this one does not.

    Args:
        logits_NM: scores, any real numbers.
        labels_N: classes.

    Returns:
        A scalar; M − 1 where all scores are the same.
    """
    own_N1 = logits_NM.gather(1, labels_N.unsqueeze(1))
    # The label's own term is 1 exactly. A score that is not a number stays one here.
    return ((logits_NM - own_N1 + 1).clamp_min(0).sum(1) - 1).mean()
