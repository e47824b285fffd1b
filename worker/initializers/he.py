"""Initializers by He et al. for rectifiers, scaled by fan_in."""

from math import sqrt

from torch import Tensor

from worker.initializers.draw import Draw
from worker.registry import initializers


@initializers.register(source="He et al. 2015, arXiv:1502.01852, equation 10")
def he_normal(weight: Tensor, draw: Draw, /) -> None:
    """N(0, σ) with σ = √(2 / fan_in).

    Differs: Keras draws from a normal distribution cut off at two standard deviations, and widens
    it so that the standard deviation is the same. Here it is not cut off.

    Args:
        weight: tensor to fill, [out, in, *kernel].
        draw: fans and generator of the weight.
    """
    weight.normal_(0.0, sqrt(2 / draw.fan_in), generator=draw.generator)


@initializers.register(source="He et al. 2015, arXiv:1502.01852, equation 10 as a uniform")
def he_uniform(weight: Tensor, draw: Draw, /) -> None:
    """U(−a, a) with a = √(6 / fan_in).

    Args:
        weight: tensor to fill, [out, in, *kernel].
        draw: fans and generator of the weight.
    """
    bound = sqrt(6 / draw.fan_in)
    weight.uniform_(-bound, bound, generator=draw.generator)
