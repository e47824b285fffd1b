"""The filling of areas that a movement leaves empty."""

from worker.augmentations.augmentation import Augmentation, FillMode
from worker.registry import augmentations


@augmentations.register(
    source="Keras's ImageDataGenerator",
    order=100,
    fills_gaps=True,
    preview_with={"rotation": 30, "zoom": 0.5},
)
def fill_mode(*, mode: FillMode = "nearest") -> Augmentation:
    """Set how areas are filled that a movement leaves without a pixel of the original.

    Differs: with "constant", a point less than a pixel outside the image is a mixture of the border
    and black, by its distance; in Keras it is black at once.

    Args:
        mode: "nearest" repeats the border, "reflect" mirrors the image, "constant" is black.
    """
    return Augmentation(fill_mode=mode)
