"""Virtual adversarial training. Axes: N samples, M classes; images are [N, …]."""

from functools import partial
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from worker.registry import regularizers
from worker.regularizers.regularizer import Forward, Regularizer


def divergence(log_p_NM: Tensor, log_q_NM: Tensor) -> Tensor:
    """Return KL(p ‖ q) of each sample, [N] in nats, from the logarithms of the probabilities."""
    return (log_p_NM.exp() * (log_p_NM - log_q_NM)).sum(1)


def unit(values: Tensor, otherwise: Tensor) -> Tensor:
    """Scale each sample to a Euclidean norm of 1; use `otherwise` for samples that are all 0.

    Samples are divided by their largest component first: the square of a value below 1e-19 is 0 in
    float32.
    """
    axes = tuple(range(1, values.ndim))
    largest = values.abs().amax(axes, keepdim=True)
    scaled = values / largest.clamp(min=torch.finfo(values.dtype).tiny)
    # Not vector_norm, which adds up in one float32 on a CPU: 6e-5 too small for 1024×1024 pixels
    norms = scaled.square().sum(axes, keepdim=True).sqrt()
    return torch.where(largest > 0, scaled / norms, otherwise)


def adversarial_direction(
    forward: Forward, images: Tensor, log_p_NM: Tensor, *, iterations: int, xi: float
) -> Tensor:
    """Estimate the direction in which p(x) changes most, with norm 1 per sample.

    Power iteration from a random direction d: d ← H·d/‖H·d‖, where H is the Hessian of
    KL(p(x) ‖ p(x+r)) with respect to r at r = ξd. A sample whose H·d is 0 keeps its d.

    Args:
        forward: images → logits.
        images: x.
        log_p_NM: logarithms of p(x), detached.
        iterations: number of power iterations.
        xi: ξ.
    """
    noise = torch.randn_like(images)
    direction = unit(noise, noise)
    for _ in range(iterations):
        point = (xi * direction).requires_grad_()
        log_q_NM = forward(images + point).log_softmax(1)
        total = divergence(log_p_NM, log_q_NM).sum()
        (slope,) = torch.autograd.grad(total, point, create_graph=True)
        (product,) = torch.autograd.grad(slope, point, grad_outputs=direction)
        direction = unit(product, direction)
    return direction


def virtual_adversarial_loss(
    forward: Forward,
    images: Tensor,
    logits_NM: Tensor,
    *,
    weight: float,
    epsilon: float,
    power_iterations: int,
    xi: float,
) -> Tensor:
    """Return weight·KL(p(x) ‖ p(x+r)), the mean over samples; p(x) and r are constants."""
    log_p_NM = logits_NM.detach().log_softmax(1)
    direction = adversarial_direction(forward, images, log_p_NM, iterations=power_iterations, xi=xi)
    log_q_NM = forward(images + epsilon * direction).log_softmax(1)
    return weight * divergence(log_p_NM, log_q_NM).mean()


@regularizers.register(
    source="Miyato et al. 2017, arXiv:1704.03976, equations 5 to 8 and section 3.3",
    needs_classes=True,
    repeats="power_iterations",
)
def vat(
    *,
    weight: Annotated[float, Field(ge=0, le=1000)] = 1.0,
    epsilon: Annotated[float, Field(gt=0, le=1000)] = 2.0,
    power_iterations: Annotated[int, Field(ge=1, le=100)] = 1,
    xi: Annotated[float, Field(ge=0, le=1)] = 1e-6,
) -> Regularizer:
    """Add weight·KL(p(x) ‖ p(x+r)) to the loss, where r is the perturbation that changes p most.

    The term is the mean over samples, in nats. It is part of `train_penalty` and so of
    `train_loss`; validation has no such term. All forward passes of a step share one dropout mask.
    The passes for r and x+r use the batch norm statistics of their own batch and leave the running
    statistics as they are.

    Differs: the paper approximates H·d by a finite difference of the gradient of KL at ξd, which
    float32 loses to the rounding of pixels. Here H·d is the exact derivative at ξd, which costs a
    second backward pass per iteration.

    Args:
        weight: factor of the term, relative to the data loss.
        epsilon: ‖r‖₂ of each sample, in units of the normalized input; the norm of an image of D
            standardized pixel values is about √D.
        power_iterations: number of iterations that refine r; on a CPU each takes about as long as
            three steps without this term, and the pass at x+r about as long as one.
        xi: distance from x along d at which the curvature is computed, in the unit of epsilon.
    """
    term = partial(
        virtual_adversarial_loss,
        weight=weight,
        epsilon=epsilon,
        power_iterations=power_iterations,
        xi=xi,
    )
    return Regularizer(on_forward=term)
