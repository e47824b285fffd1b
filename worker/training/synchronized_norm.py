"""Batch norm over the whole batch where each rank has a part of it.

Axes: N samples, C channels, and further axes of space.

Differs: `torch.nn.SyncBatchNorm` needs a GPU and has no second derivative, which virtual
adversarial training takes. Here the layers keep their class, so that a copy of the network works
in one process.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from worker.training.ranks import Ranks


@contextmanager
def synchronized(model: nn.Module, ranks: Ranks, repeats: int = 1) -> Iterator[None]:
    """Compute batch norm in training mode over the batch of all ranks within the block.

    Args:
        model: the network.
        ranks: each calls the network as often as the others.
        repeats: how many ranks have the same samples.
    """
    with ExitStack() as stack:
        for layer in model.modules() if not ranks.is_alone else ():
            if isinstance(layer, _BatchNorm) and layer.training:
                stack.enter_context(_forward(layer, partial(_normalize, layer, ranks, repeats)))
        yield


@contextmanager
def _forward(layer: nn.Module, function: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Replace what the layer computes within the block."""
    layer.forward = function  # on the object, in front of the method of its class
    try:
        yield
    finally:
        del layer.forward


def _normalize(layer: _BatchNorm, ranks: Ranks, repeats: int, values: Tensor) -> Tensor:
    axes = [axis for axis in range(values.ndim) if axis != 1]
    count = values.numel() // values.shape[1]
    variance_C, mean_C = torch.var_mean(values.float(), axes, correction=0)
    mean_C, variance_C = mean_C.double(), variance_C.double()
    # In float64: the difference of two large means would lose the variance
    sums_3C = torch.stack([torch.ones_like(mean_C), mean_C, variance_C + mean_C.square()]) * count
    total_C, sum_C, squares_C = ranks.differentiable_sum(sums_3C).unbind()
    mean_C = sum_C / total_C
    variance_C = (squares_C / total_C - mean_C.square()).clamp(min=0)
    if layer.track_running_stats:
        _record(layer, mean_C.detach(), variance_C.detach(), total_C / repeats)
    scale_C = (variance_C + layer.eps).rsqrt()
    shift_C = -mean_C * scale_C
    if layer.affine:
        scale_C, shift_C = scale_C * layer.weight, shift_C * layer.weight + layer.bias
    shape = (1, -1, *[1] * (values.ndim - 2))
    scale, shift = scale_C.float().view(shape), shift_C.float().view(shape)
    return torch.addcmul(shift, values.float(), scale).to(values.dtype)


@torch.no_grad()
def _record(layer: _BatchNorm, mean_C: Tensor, variance_C: Tensor, count_C: Tensor) -> None:
    """Update the running statistics as `torch.nn.BatchNorm2d` does, with the unbiased variance."""
    if layer.running_mean is None or layer.running_var is None:
        return
    if layer.num_batches_tracked is not None:
        layer.num_batches_tracked.add_(1)
    momentum = layer.momentum
    if momentum is None:  # a cumulative mean
        momentum = 1 / int(layer.num_batches_tracked or 1)
    unbiased_C = variance_C * count_C / (count_C - 1)
    layer.running_mean.lerp_(mean_C.to(layer.running_mean.dtype), momentum)
    layer.running_var.lerp_(unbiased_C.to(layer.running_var.dtype), momentum)
