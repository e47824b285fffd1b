"""Top-k accuracy and the order of the classes, with ties and scores that are not finite.

One definition serves every result of a sample: it is right for k if `rank` is below k, and then
`ranking` has the label among its first k classes.

Axes: N samples, M classes.
"""

from collections.abc import Iterable

import torch
from torch import Tensor


def rank(scores_NM: Tensor, labels_N: Tensor) -> Tensor:
    """Return how many classes score strictly more than the label, int64 [N].

    A label that ties comes before the others. A sample with any score that is not finite has
    rank M, so it is wrong for every k.

    Args:
        scores_NM: scores, logits or probabilities.
        labels_N: the right classes, int64 in [0, M).
    """
    label_scores_N1 = scores_NM.gather(1, labels_N.unsqueeze(1))
    ranks_N = (scores_NM > label_scores_N1).sum(1)
    return ranks_N.masked_fill(~are_finite(scores_NM), scores_NM.shape[1])


def are_finite(scores_NM: Tensor) -> Tensor:
    """Return for each sample whether all its scores are finite, bool [N]."""
    return scores_NM.isfinite().all(1)


def ranking(scores_NM: Tensor, labels_N: Tensor) -> Tensor:
    """Return the classes from the highest score to the lowest, int64 [N, M].

    Among equal scores the label comes first, then the lower class. If any score of a sample is not
    finite, its label comes last, and the other classes are in ascending order.

    Args:
        scores_NM: logits; probabilities would tie where they underflow.
        labels_N: the right classes, int64 in [0, M).
    """
    classes_M = torch.arange(scores_NM.shape[1], device=scores_NM.device)
    # The label, then the other classes in ascending order; a stable sort keeps this among equals
    order_NM = torch.where(classes_M <= labels_N.unsqueeze(1), classes_M - 1, classes_M)
    order_NM[:, 0] = labels_N
    label_last_M = -(classes_M == 0).to(scores_NM.dtype)
    keys_NM = torch.where(
        are_finite(scores_NM).unsqueeze(1), scores_NM.gather(1, order_NM), label_last_M
    )
    return order_NM.gather(1, keys_NM.argsort(dim=1, descending=True, stable=True))


def count_right(ranks_N: Tensor, ks: Iterable[int]) -> Tensor:
    """Return how many samples are right for each k, int64 [number of ks]."""
    return torch.stack([(ranks_N < k).sum() for k in ks])


def valid_ks(top_k: Iterable[int], classes: int) -> tuple[int, ...]:
    """Return 1 and every k of `top_k` up to the class count, in ascending order."""
    return tuple(sorted({1, *(k for k in top_k if 1 <= k <= classes)}))


def metric_name(k: int) -> str:
    """Return the name of the accuracy for this k, without the split."""
    return "accuracy" if k == 1 else f"top_{k}_accuracy"
