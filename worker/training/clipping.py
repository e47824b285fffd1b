"""Gradient clipping, without waiting for the device."""
# ruff: noqa: SLF001 - torch._foreach_* have no public names
# pyright: reportPrivateImportUsage=false

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor


@dataclass(frozen=True)
class Clipping:
    """How gradients are clipped."""

    kind: Literal["value", "norm", "global_norm"]
    #: The largest value or norm, greater than 0.
    bound: float


def clip(gradients: list[Tensor], norms: Tensor, clipping: Clipping) -> Tensor:
    """Clip gradients in place.

    `value` clips each component to [−c, c]; `norm` scales each tensor to a norm of at most c;
    `global_norm` scales all tensors together, which keeps the direction.

    Args:
        gradients: the gradients.
        norms: the norm of each, float64 from `euclidean_norms`.
        clipping: the kind, and c.

    Returns:
        1.0 if anything changed, else 0.0, on the device.

    Source: Pascanu, Mikolov & Bengio 2012, arXiv:1211.5063, algorithm 1 (`global_norm`).
    """
    bound = clipping.bound
    if clipping.kind == "value":
        largest = torch.stack(torch._foreach_norm(gradients, torch.inf))
        torch._foreach_clamp_min_(gradients, -bound)
        torch._foreach_clamp_max_(gradients, bound)
        return (largest.max() > bound).float()
    if clipping.kind == "norm":
        scales = (bound / norms).clamp(max=1.0).float()
        torch._foreach_mul_(gradients, list(scales.unbind()))
        return (norms.max() > bound).float()
    total = norms.norm()
    torch._foreach_mul_(gradients, (bound / total).clamp(max=1.0).float())
    return (total > bound).float()
