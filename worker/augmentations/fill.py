"""What is seen where an image was moved away from."""

from worker.augmentations.augmentation import Augmentation, FillMode
from worker.registry import augmentations


@augmentations.register(source="Keras's ImageDataGenerator")
def fill_mode(*, mode: FillMode = "nearest") -> Augmentation:
    """What fills the places that no pixel of the original falls on.

    Args:
        mode: "nearest" repeats the border, "reflect" mirrors the image there, "constant" is black.
    """
    return Augmentation(fill_mode=mode)
