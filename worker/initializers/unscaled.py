"""Initializers that do not depend on the fans."""

from typing import Annotated

from pydantic import Field
from torch import Tensor, nn

from worker.initializers.draw import Draw
from worker.registry import initializers

Scale = Annotated[float, Field(gt=0, le=1000)]


@initializers.register(source="the normal distribution; the default scale is Keras's")
def normal(weight: Tensor, draw: Draw, /, *, scale: Scale = 0.05) -> None:
    """N(0, scale), the same for every layer.

    Args:
        weight: tensor to fill, [out, in, *kernel].
        draw: generator of the weight.
        scale: the standard deviation.
    """
    weight.normal_(0.0, scale, generator=draw.generator)


@initializers.register(source="the uniform distribution; the default scale is Keras's")
def uniform(weight: Tensor, draw: Draw, /, *, scale: Scale = 0.05) -> None:
    """U(−scale, scale), the same for every layer.

    Args:
        weight: tensor to fill, [out, in, *kernel].
        draw: generator of the weight.
        scale: half the width of the interval.
    """
    weight.uniform_(-scale, scale, generator=draw.generator)


@initializers.register(source="Saxe, McClelland & Ganguli 2013, arXiv:1312.6120, section 3.1")
def orthogonal(weight: Tensor, draw: Draw, /, *, scale: Scale = 1.0) -> None:
    """A random matrix with orthonormal rows or columns, whichever are fewer, times scale.

    Args:
        weight: tensor to fill, as a matrix [out, in·kernel].
        draw: generator of the weight.
        scale: the value of all singular values.
    """
    nn.init.orthogonal_(weight, gain=scale, generator=draw.generator)


@initializers.register(source="Rumelhart, Hinton & Williams 1986: why symmetry must be broken")
def zeros(weight: Tensor, _draw: Draw, /) -> None:
    """All zeros: the units of a layer stay identical, which shows why symmetry must be broken.

    Args:
        weight: tensor to fill, [out, in, *kernel].
        _draw: not used.
    """
    weight.zero_()
