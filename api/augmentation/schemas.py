"""What a preview is asked with."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from shared.spec import (
    MAX_SEED,
    DatasetSpec,
    Frozen,
    Integer,
    MethodName,
    name_or_choice,
)


class PreviewSpec(Frozen):
    """A data set, what is done to its images, and how many are shown."""

    dataset: Annotated[DatasetSpec, BeforeValidator(name_or_choice)]
    augmentation: Annotated[dict[MethodName, Any], Field(max_length=32, default_factory=dict)]
    seed: Annotated[Integer, Field(ge=0, le=MAX_SEED)] = 0
    count: Annotated[Integer, Field(ge=1, le=32)] = 8


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
                        "count": {"type": "integer", "minimum": 1, "maximum": 32},
                    },
                },
                "example": {"dataset": "digits", "augmentation": {"rotation": 15}},
            }
        },
    }
}
