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
    """Draw from Beta(α, α): float64 [count] in [0, 1].

    The draw is G₁/(G₁ + G₂) of two gamma variables, computed from their logarithms: for a small α
    both variables underflow to 0, but their logarithms remain comparable.

    Source: Marsaglia & Tsang 2000, section 6: Gamma(α) is Gamma(α+1)·U^(1/α).
    """
    shape = torch.full((2, count), alpha + 1, dtype=torch.float64, device=device)
    gammas = torch.distributions.Gamma(shape, torch.ones_like(shape), validate_args=False)
    uniforms = 1 - torch.rand_like(shape)  # in (0, 1]: the logarithm is finite
    first, second = gammas.sample().log()
    first_uniform, second_uniform = uniforms.log()
    return torch.sigmoid(first - second + (first_uniform - second_uniform) / alpha)


def mix(values: Tensor, order_N: Tensor, shares: Tensor) -> Tensor:
    """Return λ·value + (1−λ)·partner for each sample of [N, …].

    Args:
        values: the values to mix, floating point.
        order_N: index of the partner of each sample.
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
    """Train on λx₁ + (1−λ)x₂ and on targets mixed in the same way, λ ~ Beta(α, α).

    Each sample of the batch is paired with a sample of a random permutation of the batch.
    Validation images are not mixed. A mixed sample has no single correct class, so the metrics on
    the training split are called `train_mixed_accuracy` and `train_mixed_top_5_accuracy`; they
    count the class with the largest fraction of the target as correct.

    Args:
        alpha: α; with a smaller α a mixture is closer to one of its two samples. 1 draws λ
            uniformly.
        per: "pair" draws a λ for each pair, "batch" one λ for the whole batch.
    """
    return Regularizer(on_batch=partial(_mix_batch, alpha=alpha, per=per))
