"""Top-k accuracy, with ties and scores that are not finite as `rank` defines them.

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
    return ranks_N.masked_fill(~scores_NM.isfinite().all(1), scores_NM.shape[1])


def counts(ranks_N: Tensor, ks: Iterable[int]) -> Tensor:
    """How many samples are right for each k, int64 [number of ks]."""
    return torch.stack([(ranks_N < k).sum() for k in ks])


def admitted(top_k: Iterable[int], classes: int) -> tuple[int, ...]:
    """1 and every k asked for that is no more than the class count, ascending."""
    return tuple(sorted({1, *(k for k in top_k if 1 <= k <= classes)}))


def metric_name(k: int) -> str:
    """What the accuracy for this k is called, without its split."""
    return "accuracy" if k == 1 else f"top_{k}_accuracy"
