"""Mixup. Axes: N samples, C channels, H height, W width, M classes."""

from functools import partial
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from worker.registry import regularizers
from worker.regularizers.label_smoothing import as_probabilities
from worker.regularizers.regularizer import Regularizer


def symmetric_beta(alpha: float, count: int, device: torch.device) -> Tensor:
    """Draws from Beta(α, α), float64 [count] in [0, 1].

    A quotient of two gammas, G₁/(G₁ + G₂), by their logarithms: for a small α both are often too
    small for a number, and only their logarithms say which is larger.

    Source: Marsaglia & Tsang 2000, section 6: Gamma(α) is Gamma(α+1)·U^(1/α).
    """
    shape = torch.full((2, count), alpha + 1, dtype=torch.float64, device=device)
    gammas = torch.distributions.Gamma(shape, torch.ones_like(shape), validate_args=False)
    uniforms = 1 - torch.rand_like(shape)  # in (0, 1], so that they have a logarithm
    first, second = gammas.sample().log()
    first_uniform, second_uniform = uniforms.log()
    return torch.sigmoid(first - second + (first_uniform - second_uniform) / alpha)


def mix(values: Tensor, order_N: Tensor, shares: Tensor) -> Tensor:
    """share·value + (1−share)·partner for each sample of [N, …].

    Args:
        values: what is mixed, floating.
        order_N: the partner of each sample.
        shares: λ, [N] or [1].
    """
    own = shares.to(values.dtype).view(-1, *[1] * (values.ndim - 1))
    return values * own + values[order_N] * (1 - own)


def _mix_batch(
    images_NCHW: Tensor, targets: Tensor, classes: int, *, alpha: float, per: str
) -> tuple[Tensor, Tensor]:
    samples, device = len(images_NCHW), images_NCHW.device
    shares = symmetric_beta(alpha, samples if per == "pair" else 1, device)
    order_N = torch.randperm(samples, device=device)
    targets_NM = as_probabilities(targets, classes)
    return mix(images_NCHW, order_N, shares), mix(targets_NM, order_N, shares)


@regularizers.register(
    source="Zhang et al. 2017, arXiv:1710.09412, equation 1; its algorithm draws one λ per batch",
    needs_classes=True,
    makes_probabilities=True,
    mixes_targets=True,
)
def mixup(
    *,
    alpha: Annotated[float, Field(gt=0, le=1000)] = 0.2,
    per: Literal["pair", "batch"] = "pair",
) -> Regularizer:
    """Trains on λx₁ + (1−λ)x₂ with the targets mixed likewise, λ ~ Beta(α, α).

    The pairs are the batch and a random order of it. Validation stays un-mixed. What share of
    the mixed samples is right is no accuracy, so the metrics are called `train_mixed_accuracy`
    and `train_mixed_top_5_accuracy`: right is the class with the largest share of the target.

    Args:
        alpha: α; the smaller, the nearer to one of the two a mixture is. 1 is uniform.
        per: whether each pair has a λ of its own or the whole batch has one.
    """
    return Regularizer(on_batch=partial(_mix_batch, alpha=alpha, per=per), mixes_targets=True)
