"""Movements of the whole image about its centre, each as a matrix per sample.

Ranges, directions and order are the same as in Keras's ImageDataGenerator; the product of the
matrices depends on their order. Axes: N samples, C channels, H height, W width.
"""

from functools import partial
from math import radians
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from worker.augmentations.augmentation import Augmentation, uniform
from worker.registry import augmentations

KERAS = "Keras's ImageDataGenerator; Simard, Steinkraus & Platt 2003, ICDAR, section 2"

Fraction = Annotated[float, Field(ge=0, le=1)]


def rotations(angles_N: Tensor) -> Tensor:
    """Return rotations by angles in radians, [N, 3, 3]."""
    matrices = identities(angles_N)
    matrices[:, 0, 0] = matrices[:, 1, 1] = angles_N.cos()
    matrices[:, 1, 0] = angles_N.sin()
    matrices[:, 0, 1] = -matrices[:, 1, 0]
    return matrices


def shears(angles_N: Tensor) -> Tensor:
    """Return shears along x by angles in radians, [N, 3, 3]: x − y·sin, y·cos."""
    matrices = identities(angles_N)
    matrices[:, 0, 1] = -angles_N.sin()
    matrices[:, 1, 1] = angles_N.cos()
    return matrices


def identities(samples: Tensor) -> Tensor:
    """Return an identity matrix for each sample of a tensor [N, …], [N, 3, 3]."""
    return torch.eye(3, device=samples.device).repeat(len(samples), 1, 1)


def _rotate(pixels_NCHW: Tensor, *, angle: float) -> Tensor:
    return rotations(uniform(pixels_NCHW, -angle, angle))


def _shift(pixels_NCHW: Tensor, *, axis: int, fraction: float) -> Tensor:
    matrices = identities(pixels_NCHW)
    pixels = fraction * pixels_NCHW.shape[3 - axis]
    matrices[:, axis, 2] = uniform(pixels_NCHW, -pixels, pixels)
    return matrices


def _shear(pixels_NCHW: Tensor, *, angle: float) -> Tensor:
    return shears(uniform(pixels_NCHW, -angle, angle))


def _zoom(pixels_NCHW: Tensor, *, fraction: float) -> Tensor:
    matrices = identities(pixels_NCHW)
    for axis in (0, 1):
        matrices[:, axis, axis] = uniform(pixels_NCHW, 1 - fraction, 1 + fraction)
    return matrices


@augmentations.register(
    source=KERAS, order=10, turns=True, leaves_gaps=True, unusual_below={"degrees": 1}
)
def rotation(*, degrees: Annotated[float, Field(ge=0, le=180)] = 10.0) -> Augmentation:
    """Rotate each image about its centre.

    Args:
        degrees: the largest angle, in either direction.
    """
    return Augmentation(matrices=partial(_rotate, angle=radians(degrees)))


@augmentations.register(source=KERAS, order=20, leaves_gaps=True)
def width_shift(*, fraction: Fraction = 0.1) -> Augmentation:
    """Move each image to the left or right.

    Args:
        fraction: the largest shift, as a fraction of the width.
    """
    return Augmentation(matrices=partial(_shift, axis=0, fraction=fraction))


@augmentations.register(source=KERAS, order=30, leaves_gaps=True)
def height_shift(*, fraction: Fraction = 0.1) -> Augmentation:
    """Move each image up or down.

    Args:
        fraction: the largest shift, as a fraction of the height.
    """
    return Augmentation(matrices=partial(_shift, axis=1, fraction=fraction))


@augmentations.register(
    source=KERAS, order=40, turns=True, leaves_gaps=True, unusual_below={"degrees": 1}
)
def shear(*, degrees: Annotated[float, Field(ge=0, lt=90)] = 5.0) -> Augmentation:
    """Shear each image along its width.

    Args:
        degrees: the largest angle in degrees, in either direction; 0.1 has almost no effect.
    """
    return Augmentation(matrices=partial(_shear, angle=radians(degrees)))


@augmentations.register(source=KERAS, order=50, leaves_gaps=True)
def zoom(*, fraction: Annotated[float, Field(ge=0, lt=1)] = 0.1) -> Augmentation:
    """Stretch or shrink each image, with separate factors for width and height.

    Args:
        fraction: factors are drawn from 1 − fraction to 1 + fraction. A factor above 1 shrinks the
            image, and the border is filled.
    """
    return Augmentation(matrices=partial(_zoom, fraction=fraction))
