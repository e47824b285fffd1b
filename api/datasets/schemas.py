"""Data sets in the OpenAPI document."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from api.http.schemas import Count, Timestamp

Size = Annotated[list[Count], Field(min_length=2, max_length=2)]


class ImageSizes(BaseModel):
    """Width and height, each by itself."""

    min: Size
    median: Size
    max: Size


class DatasetClass(BaseModel):
    """A class; per split null where each job draws its splits."""

    name: str
    images: Count
    train: Count | None
    validation: Count | None
    test: Count | None


class DatasetWarning(BaseModel):
    """What is probably a mistake."""

    rule: str
    detail: str
    files: list[str]


class RejectedFile(BaseModel):
    """A file that was left out, or the reason of a rejection; `file` is empty for the upload."""

    file: str
    detail: str


class Dataset(BaseModel):
    """A built-in data set, or a version of an upload.

    What the check of an upload finds is null until it has ended. A built-in set is always ready,
    and has neither version nor owner.
    """

    id: str
    object: Literal["dataset"]
    name: str
    version: Count | None
    content_hash: str | None
    state: Literal["checking", "ready", "rejected"]
    owner: str | None
    bytes: Count | None
    kind: Literal["images", "table"] | None
    task: Literal["classification", "regression"] | None
    images: Count | None = Field(description="Of a table: the number of rows")
    classes: list[DatasetClass]
    image_sizes: ImageSizes | None
    channels: Count | None
    mean: list[float] | None
    std: list[float] | None
    target: str | None = Field(description="Of a table: the column to predict by default")
    features: list[str] | None = Field(description="Of a table: the other columns, but an index")
    warnings: list[DatasetWarning]
    rejected: list[RejectedFile]
    created_at: Timestamp | None
    title: str
    summary: str
    licence: str
    source: str
    synthetic: bool
    number_targets: list[str] = Field(description="The numbers that a regression can predict")
    ways: list[str] = Field(description="How the box obtains it, in the order of trying")
    is_available: bool = Field(description="False if a job has to fetch it, or cannot use it yet")
    files: list[str] = Field(description="Of the data set `table`: the tables on the box")
