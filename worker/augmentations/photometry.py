"""Changes of brightness, after all movements, so that filled areas change alike.

Axes: N samples, C channels, H height, W width; pixels in 0–255.
"""

from collections.abc import Sequence
from functools import partial
from typing import Annotated

from pydantic import Field
from torch import Tensor

from worker.augmentations.augmentation import Augmentation, uniform
from worker.registry import augmentations

KERAS = "Keras's ImageDataGenerator"
WHITE = 255.0


def _scale(pixels_NCHW: Tensor, *, low: float, high: float) -> Tensor:
    factors_N = uniform(pixels_NCHW, low, high)
    return (pixels_NCHW * factors_N.view(-1, 1, 1, 1)).clamp_(0, WHITE)


def _shift(pixels_NCHW: Tensor, *, largest: float) -> Tensor:
    offsets_N = uniform(pixels_NCHW, -largest, largest)
    return (pixels_NCHW + offsets_N.view(-1, 1, 1, 1)).clamp_(0, WHITE)


@augmentations.register(source=KERAS, order=60)
def channel_shift(*, most: Annotated[float, Field(ge=0, le=255)] = 20.0) -> Augmentation:
    """Add one random offset to all pixels of all channels of an image; clip to 0–255.

    Args:
        most: the largest offset, in either direction, on the scale 0–255.
    """
    return Augmentation(on_pixels=partial(_shift, largest=most))


@augmentations.register(source=KERAS, order=70)
def brightness(
    *,
    factors: Annotated[
        Sequence[Annotated[float, Field(gt=0, le=10)]], Field(min_length=2, max_length=2)
    ] = (0.8, 1.2),
) -> Augmentation:
    """Multiply all pixels of an image by one random factor; clip to 0–255.

    Args:
        factors: smallest and largest factor; 1 leaves the image as it is.
    """
    low, high = sorted(factors)
    return Augmentation(on_pixels=partial(_scale, low=low, high=high))
