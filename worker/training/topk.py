"""Accuracy, top-k accuracy and the order of classes, with ties and scores that are not finite.

A sample is right if its label is the first class with the highest score: a network that gives all
classes the same score is right for one class. It is right for k if fewer than k classes score
strictly more than the label, so that a label that ties counts as in. A sample with any score that
is not finite is wrong, and wrong for every k. Without ties, right and right for 1 are the same.

`ranking` agrees with both: its first class is the label if the sample is right, and for k > 1 its
first k classes contain the label if the sample is right for k. Where a score is not finite, the
label comes last; there, with k = M, the label is among the first k although the sample is wrong.

Axes: N samples, M classes.
"""

from collections.abc import Iterable

import torch
from torch import Tensor


def is_right(scores_NM: Tensor, labels_N: Tensor) -> Tensor:
    """Return whether each label is the first class with the highest score, bool [N].

    Args:
        scores_NM: scores, logits or probabilities.
        labels_N: the right classes, int64 in [0, M).
    """
    return (scores_NM.argmax(1) == labels_N) & are_finite(scores_NM)


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

    The first is the lowest of the classes with the highest score. After it, among equal scores,
    comes the label, then the lower class. If any score of a sample is not finite, its label comes
    last, and the other classes are in ascending order.

    Args:
        scores_NM: logits; probabilities would tie where they underflow.
        labels_N: the right classes, int64 in [0, M).
    """
    classes_M = torch.arange(scores_NM.shape[1], device=scores_NM.device)
    is_label_NM = classes_M == labels_N.unsqueeze(1)
    is_finite_N1 = are_finite(scores_NM).unsqueeze(1)
    is_first_NM = (classes_M == scores_NM.argmax(1, keepdim=True)) & is_finite_N1
    # The label's place among equals: after the first class, before all others
    places_NM = torch.where(is_label_NM, -1, classes_M).masked_fill(is_first_NM, -2)
    order_NM = places_NM.argsort(dim=1)
    keys_NM = torch.where(is_finite_N1, scores_NM, -is_label_NM.to(scores_NM.dtype))
    sorted_NM = keys_NM.gather(1, order_NM).argsort(dim=1, descending=True, stable=True)
    return order_NM.gather(1, sorted_NM)


def count_right(ranks_N: Tensor, ks: Iterable[int]) -> Tensor:
    """Return how many samples are right for each k, ties as in, int64 [number of ks]."""
    return torch.stack([(ranks_N < k).sum() for k in ks])


def valid_ks(top_k: Iterable[int], classes: int) -> tuple[int, ...]:
    """Return 1 and every k of `top_k` up to the class count, in ascending order."""
    return tuple(sorted({1, *(k for k in top_k if 1 <= k <= classes)}))


def metric_name(k: int) -> str:
    """Return the name of the accuracy for this k, without the split."""
    return "accuracy" if k == 1 else f"top_{k}_accuracy"
