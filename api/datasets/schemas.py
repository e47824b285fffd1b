"""Data sets in the OpenAPI document."""

from typing import Literal

from pydantic import BaseModel, Field

from api.http.schemas import Count


class Dataset(BaseModel):
    """A built-in data set. The `table` also lists the available `files`."""

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
    is_available: bool = Field(description="False if it has to be fetched first")
    files: list[str] | None = Field(default=None, description="Only of the data set `table`")
