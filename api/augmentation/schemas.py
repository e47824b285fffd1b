"""The body of a preview request."""

from typing import Annotated, Any

from pydantic import Field

from api.catalog.schemas import reference
from shared.datasets import FACTS
from shared.spec import DatasetSpec, SpecPart
from shared.spec.fields import MAX_SEED, NUMBER, MethodName, allow_name
from shared.uploaded_datasets import REFERENCE_PATTERN

#: Of all images of a picture together: the sidecar draws them in well under a second.
MAX_PIXELS = 2**21
DEFAULT_COUNT = 8
DATASET_NAMES = {
    "type": "string",
    "pattern": f"^{REFERENCE_PATTERN}$",
    "description": ", ".join(sorted(name for name in FACTS if FACTS[name].kind == "images"))
    + ", or an upload: `name` or `name@version`",
}


class PreviewSpec(SpecPart):
    """A dataset, the augmentation of its images, and how many of them to show."""

    dataset: Annotated[DatasetSpec, allow_name(DatasetSpec)]
    augmentation: Annotated[dict[MethodName, Any], Field(max_length=32, default_factory=dict)]
    seed: Annotated[int, Field(ge=0, le=MAX_SEED), NUMBER] = 0
    #: Null stands for 8, or for the maximum at this image size.
    count: Annotated[int, Field(ge=1, le=32), NUMBER] | None = None

    def images(self, image_size: int) -> int:
        """Return how many images to show.

        Args:
            image_size: of the dataset, in pixels.
        """
        return self.count or min(DEFAULT_COUNT, max_images(image_size))


def max_images(image_size: int) -> int:
    """Return how many images of a size fit into a picture; at least 1."""
    return max(1, MAX_PIXELS // image_size**2)


PREVIEW_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["dataset"],
                    "properties": {
                        "dataset": {"anyOf": [DATASET_NAMES, reference("DatasetSpec")]},
                        "augmentation": reference("Augmentation"),
                        "seed": {"type": "integer", "minimum": 0, "maximum": MAX_SEED},
                        "count": {"type": ["integer", "null"], "minimum": 1, "maximum": 32},
                    },
                    "additionalProperties": False,
                },
                "example": {"dataset": "digits", "augmentation": {"rotation": 15}},
            }
        },
    }
}
