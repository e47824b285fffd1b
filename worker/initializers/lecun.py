"""Initializers by LeCun et al., scaled by fan_in: a linear unit keeps unit variance."""

from math import sqrt

from torch import Tensor

from worker.initializers.draw import Draw
from worker.registry import initializers


@initializers.register(source="LeCun et al. 1998, Efficient BackProp, equation 16")
def lecun_normal(weight: Tensor, draw: Draw, /) -> None:
    """N(0, σ) with σ = √(1 / fan_in).

    Differs: Keras draws from a normal distribution cut off at two standard deviations, and widens
    it so that the standard deviation is the same. Here it is not cut off.

    Args:
        weight: tensor to fill, [out, in, *kernel].
        draw: fans and generator of the weight.
    """
    weight.normal_(0.0, sqrt(1 / draw.fan_in), generator=draw.generator)


@initializers.register(source="LeCun et al. 1998, Efficient BackProp, equation 16 as a uniform")
def lecun_uniform(weight: Tensor, draw: Draw, /) -> None:
    """U(−a, a) with a = √(3 / fan_in).

    Args:
        weight: tensor to fill, [out, in, *kernel].
        draw: fans and generator of the weight.
    """
    bound = sqrt(3 / draw.fan_in)
    weight.uniform_(-bound, bound, generator=draw.generator)
