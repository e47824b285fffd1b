"""Data sets in the OpenAPI document."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from api.http.schemas import Count, Timestamp


class Dataset(BaseModel):
    """A built-in data set. The `table` also lists the available `files`."""

    id: str
    object: Literal["dataset"]
    name: str
    kind: Literal["images", "table"]
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


class UploadedDataset(BaseModel):
    """A version of an uploaded data set. What its check finds is null until it has ended."""

    id: str
    object: Literal["dataset"]
    name: str
    version: Count
    content_hash: str | None
    state: Literal["checking", "ready", "rejected"]
    owner: str
    bytes: Count
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
    created_at: Timestamp
