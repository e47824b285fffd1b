"""What a preview is asked with."""

from typing import Annotated, Any

from pydantic import Field

from shared.fields import A_NUMBER, MAX_SEED, MethodName, or_name
from shared.spec import DatasetSpec, Frozen

#: Of the images in a picture together: a sidecar draws that in well under a second.
MOST_PIXELS = 2**21
COUNT = 8


class PreviewSpec(Frozen):
    """A data set, what is done to its images, and how many are shown."""

    dataset: Annotated[DatasetSpec, or_name(DatasetSpec)]
    augmentation: Annotated[dict[MethodName, Any], Field(max_length=32, default_factory=dict)]
    seed: Annotated[int, Field(ge=0, le=MAX_SEED), A_NUMBER] = 0
    #: Null stands for 8, or as many as a picture takes in this size.
    count: Annotated[int, Field(ge=1, le=32), A_NUMBER] | None = None

    def images(self, image_size: int) -> int:
        """How many are shown.

        Args:
            image_size: in pixels.
        """
        return self.count or min(COUNT, most_images(image_size))


def most_images(image_size: int) -> int:
    """How many images of a size there may be in a picture; one of the largest size always."""
    return max(1, MOST_PIXELS // image_size**2)


PREVIEW_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["dataset"],
                    "properties": {
                        "dataset": {"type": ["string", "object"]},
                        "augmentation": {"type": "object"},
                        "seed": {"type": "integer", "minimum": 0},
                        "count": {"type": ["integer", "null"], "minimum": 1, "maximum": 32},
                    },
                },
                "example": {"dataset": "digits", "augmentation": {"rotation": 15}},
            }
        },
    }
}
