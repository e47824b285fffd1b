"""Cross-entropy. Axes: N samples, M classes."""

from torch import Tensor
from torch.nn import functional

from worker.registry import losses


@losses.register(
    source="Bishop 2006, Pattern Recognition and Machine Learning, equation 4.108",
    takes_probabilities=True,
)
def cross_entropy(logits_NM: Tensor, targets: Tensor, /) -> Tensor:
    """−Σ target·log softmax(logits), averaged over samples, in nats.

    With `class_weights`, which every loss for classes takes, training averages with the weight of
    each sample: its class's weight, or Σ target·weight for a mixed or smoothed target. Validation
    and test losses stay unweighted.

    Args:
        logits_NM: scores, any real numbers.
        targets: classes [N] or probabilities [N, M].

    Returns:
        A scalar; ln M for equal scores.
    """
    return functional.cross_entropy(logits_NM, targets)
