"""Mirror images."""

from typing import Annotated

from pydantic import Field

from worker.augmentations.augmentation import Augmentation, Flip
from worker.registry import augmentations

SOURCE = "Krizhevsky, Sutskever & Hinton 2012, section 4.1"

Probability = Annotated[float, Field(ge=0, le=1)]


@augmentations.register(source=SOURCE, order=80, turns=True)
def horizontal_flip(*, probability: Probability = 0.5) -> Augmentation:
    """Swap left and right.

    Args:
        probability: probability that an image is flipped.
    """
    return Augmentation(flip=Flip(-1, probability))


@augmentations.register(source=SOURCE, order=90, turns=True)
def vertical_flip(*, probability: Probability = 0.5) -> Augmentation:
    """Swap top and bottom.

    Args:
        probability: probability that an image is flipped.
    """
    return Augmentation(flip=Flip(-2, probability))
