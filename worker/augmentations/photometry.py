"""Changes of light. Axes: N samples, C channels, H height, W width; pixels in 0–255."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated

from pydantic import Field
from torch import Tensor

from worker.augmentations.augmentation import Augmentation, uniform
from worker.registry import augmentations

KERAS = "Keras's ImageDataGenerator"
WHITE = 255.0


def _brighten(pixels_NCHW: Tensor, *, low: float, high: float) -> Tensor:
    factors_N = uniform(len(pixels_NCHW), low, high, pixels_NCHW.device)
    return (pixels_NCHW * factors_N.view(-1, 1, 1, 1)).clamp_(0, WHITE)


def _shift(pixels_NCHW: Tensor, *, most: float) -> Tensor:
    offsets_N = uniform(len(pixels_NCHW), -most, most, pixels_NCHW.device)
    return (pixels_NCHW + offsets_N.view(-1, 1, 1, 1)).clamp_(0, WHITE)


@augmentations.register(source=KERAS)
def brightness(
    *,
    factors: Annotated[
        Sequence[Annotated[float, Field(gt=0, le=10)]], Field(min_length=2, max_length=2)
    ] = (0.8, 1.2),
) -> Augmentation:
    """Multiplies all pixels of an image by one factor.

    Args:
        factors: the two between which it is drawn; 1 changes nothing.
    """
    low, high = sorted(factors)
    return Augmentation(on_pixels=partial(_brighten, low=low, high=high))


@augmentations.register(source=KERAS)
def channel_shift(*, most: Annotated[float, Field(ge=0, le=255)] = 20.0) -> Augmentation:
    """Adds one offset to all pixels of all channels of an image, within 0–255.

    Args:
        most: the largest offset, either way, of 255.
    """
    return Augmentation(on_pixels=partial(_shift, most=most))
