"""Top-k accuracy and the order of the classes, with ties and scores that are not finite.

One definition serves all that is said of a sample: it is right for k where `rank` is below k, and
that is where `ranking` has the label among its first k.

Axes: N samples, M classes.
"""

from collections.abc import Iterable

import torch
from torch import Tensor


def rank(scores_NM: Tensor, labels_N: Tensor) -> Tensor:
    """How many classes score strictly more than the label, int64 [N].

    A label that ties counts as before the others. A sample with any score that is not finite
    has rank M, so it is wrong for every k.

    Args:
        scores_NM: scores, logits or probabilities.
        labels_N: the right classes, int64 in [0, M).
    """
    own_N1 = scores_NM.gather(1, labels_N.unsqueeze(1))
    ranks_N = (scores_NM > own_N1).sum(1)
    return ranks_N.masked_fill(~are_finite(scores_NM), scores_NM.shape[1])


def are_finite(scores_NM: Tensor) -> Tensor:
    """Of each sample whether all its scores are finite, bool [N]."""
    return scores_NM.isfinite().all(1)


def ranking(scores_NM: Tensor, labels_N: Tensor) -> Tensor:
    """The classes from the highest score down, int64 [N, M].

    Among equals the label comes first, then the lower number. Of a sample with any score that is
    not finite the label comes last, the others by number.

    Args:
        scores_NM: logits: probabilities tie where they underflow.
        labels_N: the right classes, int64 in [0, M).
    """
    places_M = torch.arange(scores_NM.shape[1], device=scores_NM.device)
    # The label, then the others by number: the sort is stable, so equals stay so.
    turn_NM = torch.where(places_M <= labels_N.unsqueeze(1), places_M - 1, places_M)
    turn_NM[:, 0] = labels_N
    label_last_M = -(places_M == 0).to(scores_NM.dtype)
    keys_NM = torch.where(
        are_finite(scores_NM).unsqueeze(1), scores_NM.gather(1, turn_NM), label_last_M
    )
    return turn_NM.gather(1, keys_NM.argsort(dim=1, descending=True, stable=True))


def count_right(ranks_N: Tensor, ks: Iterable[int]) -> Tensor:
    """Return how many samples are right for each k, int64 [number of ks]."""
    return torch.stack([(ranks_N < k).sum() for k in ks])


def valid_ks(top_k: Iterable[int], classes: int) -> tuple[int, ...]:
    """Return 1 and every k of `top_k` up to the class count, in ascending order."""
    return tuple(sorted({1, *(k for k in top_k if 1 <= k <= classes)}))


def metric_name(k: int) -> str:
    """Return the name of the accuracy for this k, without the split."""
    return "accuracy" if k == 1 else f"top_{k}_accuracy"
