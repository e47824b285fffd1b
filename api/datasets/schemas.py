"""How data sets look in the OpenAPI document."""

from typing import Literal

from pydantic import BaseModel, Field

from api.http.schemas import Count


class Dataset(BaseModel):
    """The facts of a data set. A table also has the `files` that are there."""

    id: str
    object: Literal["dataset"]
    name: str
    title: str
    summary: str
    classes: list[str]
    train: Count
    test: Count
    image_size: Count
    channels: Count
    licence: str
    source: str
    synthetic: bool
    number_targets: list[str]
    ways: list[str]
    is_available: bool
    files: list[str] | None = Field(default=None, description="of a table")
