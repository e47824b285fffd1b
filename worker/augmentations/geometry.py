"""Movements of the whole image about its centre, each a matrix a sample.

Ranges and directions are those of Keras's ImageDataGenerator. Axes: N samples.
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
    """Turns by angles in radians [N], as matrices [N, 3, 3]."""
    matrices = identities(len(angles_N), angles_N.device)
    matrices[:, 0, 0] = matrices[:, 1, 1] = angles_N.cos()
    matrices[:, 1, 0] = angles_N.sin()
    matrices[:, 0, 1] = -matrices[:, 1, 0]
    return matrices


def shears(angles_N: Tensor) -> Tensor:
    """Shears by angles in radians [N] along x, as matrices [N, 3, 3]: x − y·sin, y·cos."""
    matrices = identities(len(angles_N), angles_N.device)
    matrices[:, 0, 1] = -angles_N.sin()
    matrices[:, 1, 1] = angles_N.cos()
    return matrices


def identities(samples: int, device: torch.device) -> Tensor:
    """Matrices [N, 3, 3] that move nothing."""
    return torch.eye(3, device=device).repeat(samples, 1, 1)


def _rotate(n: int, _: tuple[int, int], device: torch.device, *, angle: float) -> Tensor:
    return rotations(uniform(n, -angle, angle, device))


def _shift(
    n: int, size: tuple[int, int], device: torch.device, *, axis: int, fraction: float
) -> Tensor:
    matrices = identities(n, device)
    pixels = fraction * size[1 - axis]
    matrices[:, axis, 2] = uniform(n, -pixels, pixels, device)
    return matrices


def _shear(n: int, _: tuple[int, int], device: torch.device, *, angle: float) -> Tensor:
    return shears(uniform(n, -angle, angle, device))


def _zoom(n: int, _: tuple[int, int], device: torch.device, *, fraction: float) -> Tensor:
    matrices = identities(n, device)
    for axis in (0, 1):
        matrices[:, axis, axis] = uniform(n, 1 - fraction, 1 + fraction, device)
    return matrices


@augmentations.register(source=KERAS, turns=True)
def rotation(*, degrees: Annotated[float, Field(ge=0, le=180)] = 10.0) -> Augmentation:
    """Turns each image about its centre.

    Args:
        degrees: the largest angle, either way.
    """
    return Augmentation(matrices=partial(_rotate, angle=radians(degrees)))


@augmentations.register(source=KERAS)
def width_shift(*, fraction: Fraction = 0.1) -> Augmentation:
    """Moves each image to the left or right.

    Args:
        fraction: the farthest move, as a fraction of the width.
    """
    return Augmentation(matrices=partial(_shift, axis=0, fraction=fraction))


@augmentations.register(source=KERAS)
def height_shift(*, fraction: Fraction = 0.1) -> Augmentation:
    """Moves each image up or down.

    Args:
        fraction: the farthest move, as a fraction of the height.
    """
    return Augmentation(matrices=partial(_shift, axis=1, fraction=fraction))


@augmentations.register(source=KERAS, turns=True)
def shear(*, degrees: Annotated[float, Field(ge=0, lt=90)] = 5.0) -> Augmentation:
    """Slants each image; in degrees, so that 0.1 does next to nothing.

    Args:
        degrees: the largest angle, either way.
    """
    return Augmentation(matrices=partial(_shear, angle=radians(degrees)))


@augmentations.register(source=KERAS)
def zoom(*, fraction: Annotated[float, Field(ge=0, lt=1)] = 0.1) -> Augmentation:
    """Stretches or shrinks each image, width and height apart.

    Args:
        fraction: factors are drawn from 1 − fraction to 1 + fraction; above 1 shows more.
    """
    return Augmentation(matrices=partial(_zoom, fraction=fraction))
