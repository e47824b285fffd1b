"""Batch norm over the whole batch where each rank has a part of it.

Axes: N samples, C channels, and further axes of space.

Differs: `torch.nn.SyncBatchNorm` needs a GPU and has no second derivative, which virtual
adversarial training takes. Here the layers stay as they are, also layers of a model library that
compute more than batch norm: only the function is replaced that all of them call.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn import functional

from worker.training.ranks import Ranks


@contextmanager
def synchronized(ranks: Ranks, repeats: int = 1) -> Iterator[None]:
    """Compute batch norm in training mode over the batch of all ranks within the block.

    Args:
        ranks: each calls the network as often as the others.
        repeats: how many ranks have the same samples.
    """
    if ranks.is_alone:
        yield
        return
    of_one_rank = functional.batch_norm

    def batch_norm(
        input: Tensor,  # noqa: A002 - the parameters have torch's names
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Tensor:
        statistics = (running_mean, running_var)
        if not training:
            return of_one_rank(input, *statistics, weight, bias, training, momentum, eps)
        values = input.float()  # once, so that half precision rounds one sum of gradients
        mean_C, variance_C, count_C = _statistics(ranks, values)
        if running_mean is not None and running_var is not None:
            count_C = count_C / repeats
            _record(running_mean, mean_C, momentum)
            _record(running_var, variance_C * count_C / (count_C - 1), momentum)
        scale_C = (variance_C + eps).rsqrt()
        shift_C = -mean_C * scale_C
        if weight is not None:
            scale_C, shift_C = scale_C * weight, shift_C * weight
        if bias is not None:
            shift_C = shift_C + bias
        shape = (1, -1, *[1] * (values.ndim - 2))
        scale, shift = scale_C.float().view(shape), shift_C.float().view(shape)
        return torch.addcmul(shift, values, scale).to(input.dtype)

    functional.batch_norm = batch_norm
    try:
        yield
    finally:
        functional.batch_norm = of_one_rank


def _statistics(ranks: Ranks, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return mean, variance and number of the values of each channel, over all ranks, float64."""
    axes = [axis for axis in range(values.ndim) if axis != 1]
    count = values.numel() // values.shape[1]
    variance_C, mean_C = torch.var_mean(values, axes, correction=0)
    mean_C, variance_C = mean_C.double(), variance_C.double()
    # In float64: the difference of two large means would lose the variance
    sums_3C = torch.stack([torch.ones_like(mean_C), mean_C, variance_C + mean_C.square()]) * count
    total_C, sum_C, squares_C = ranks.differentiable_sum(sums_3C).unbind()
    mean_C = sum_C / total_C
    return mean_C, (squares_C / total_C - mean_C.square()).clamp(min=0), total_C


@torch.no_grad()
def _record(running_C: Tensor, value_C: Tensor, momentum: float) -> None:
    """Update a running statistic as torch does."""
    running_C.lerp_(value_C.to(running_C.dtype), momentum)
