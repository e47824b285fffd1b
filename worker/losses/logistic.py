"""The logistic loss of two classes. Axes: N samples."""

from torch import Tensor
from torch.nn import functional

from worker.registry import losses


@losses.register(
    source="Bishop 2006, Pattern Recognition and Machine Learning, eq. 7.48", classes=2
)
def logistic(logits_N2: Tensor, labels_N: Tensor, /) -> Tensor:
    """log(1 + e^(−y·s)) of two classes, y = −1 for the first and +1 for the second.

    The score s is the score of the second class minus the score of the first, so that the network
    has two outputs as with other losses. The loss equals cross-entropy for two classes.

    Args:
        logits_N2: scores of the two classes.
        labels_N: classes, 0 or 1.

    Returns:
        A scalar, in nats; ln 2 for equal scores.
    """
    signs_N = 2 * labels_N.to(logits_N2.dtype) - 1
    return functional.softplus(-signs_N * (logits_N2[:, 1] - logits_N2[:, 0])).mean()
