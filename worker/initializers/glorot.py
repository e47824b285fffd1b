"""Initializers by Glorot and Bengio, scaled by both fans."""

from math import sqrt
from typing import Annotated

from pydantic import Field
from torch import Tensor

from worker.initializers.draw import Draw
from worker.registry import initializers

#: α of `he_glorot` by activation; √2 for all others.
ALPHAS = {"sigmoid": 1.0, "tanh": 4.0}


@initializers.register(source="Glorot & Bengio 2010, AISTATS 9, equation 12 as a variance")
def xavier_normal(weight: Tensor, draw: Draw, /) -> None:
    """N(0, σ) with σ = √(2 / (fan_in + fan_out)), a standard deviation.

    Differs: Keras draws from a normal distribution cut off at two standard deviations, and widens
    it so that the standard deviation is the same. Here it is not cut off.

    Args:
        weight: tensor to fill, [out, in, *kernel].
        draw: fans and generator of the weight.
    """
    weight.normal_(0.0, sqrt(2 / (draw.fan_in + draw.fan_out)), generator=draw.generator)


@initializers.register(source="Glorot & Bengio 2010, AISTATS 9, equation 16")
def xavier_uniform(weight: Tensor, draw: Draw, /) -> None:
    """U(−a, a) with a = √(6 / (fan_in + fan_out)).

    Args:
        weight: tensor to fill, [out, in, *kernel].
        draw: fans and generator of the weight.
    """
    bound = sqrt(6 / (draw.fan_in + draw.fan_out))
    weight.uniform_(-bound, bound, generator=draw.generator)


@initializers.register(
    source="He et al. 2015, arXiv:1502.01852, its gain on the scale of Glorot & Bengio 2010"
)
def he_glorot(
    weight: Tensor,
    draw: Draw,
    /,
    *,
    alpha: Annotated[float, Field(gt=0, le=100)] | None = None,
) -> None:
    """N(0, σ) with σ = α·√(2 / (fan_in + fan_out)), α by the network's activation.

    Args:
        weight: tensor to fill, [out, in, *kernel].
        draw: fans, activation and generator.
        alpha: the gain α; null for 1 with sigmoid, 4 with tanh, and √2 with other activations.
    """
    gain = ALPHAS.get(draw.activation or "", sqrt(2)) if alpha is None else alpha
    weight.normal_(0.0, gain * sqrt(2 / (draw.fan_in + draw.fan_out)), generator=draw.generator)
