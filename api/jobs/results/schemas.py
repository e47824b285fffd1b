"""How what comes out of a job looks in the OpenAPI document."""

from typing import Literal

from pydantic import BaseModel, Field

from api.http.schemas import At, Count, Figure, Fraction, ListOf, Sha256


class Checkpoint(BaseModel):
    """A checkpoint that is kept. `monitor` is null for the last, the initial and the series."""

    id: str
    object: Literal["checkpoint"]
    name: str = Field(description="`last`, `initial`, `best_<monitor>` or `epoch_<n>`")
    monitor: str | None
    mode: Literal["min", "max"] | None
    value: Figure | None
    stage: str
    epoch: Count = Field(description="counted over the whole job; 0 is before training")
    step: Count
    bytes: Count
    sha256: Sha256 = Field(description="of the download")
    created_at: At
    download: str


class ClassAccuracy(BaseModel):
    """How one class fares; null without samples."""

    label: Count
    name: str
    count: Count
    accuracy: Fraction | None


class Mistake(BaseModel):
    """A wrong sample that the network is sure of; null where a score is not finite."""

    sample: Count
    label: Count
    predicted: Count | None
    probability: Figure | None


class Accuracies(BaseModel):
    """What a checkpoint is worth on the test split."""

    checkpoint: str
    name: str
    epoch: Count
    split: str
    loss: Figure | None
    accuracy: Fraction
    top_k: dict[str, Fraction] = Field(description="by k")
    per_class: list[ClassAccuracy]
    mistakes: list[Mistake]


class Ranked(BaseModel):
    """One of the most probable classes of a sample."""

    class_: Count = Field(alias="class")
    name: str
    probability: Figure


class Sample(BaseModel):
    """What a checkpoint says of a sample."""

    sample: Count
    label: Count
    label_name: str
    right: bool
    classes: list[Ranked]


class Samples(ListOf[Sample]):
    """A page of samples of one checkpoint."""

    checkpoint: str


class TopK(BaseModel):
    """Accuracies of every evaluated checkpoint, and the samples of one of them."""

    object: Literal["top_k"]
    checkpoints: list[Accuracies]
    samples: Samples


class Confusion(BaseModel):
    """`matrix[label][predicted]`, counts on the test split."""

    object: Literal["confusion"]
    checkpoint: str
    name: str
    classes: list[str]
    matrix: list[list[Count]]


class Artifact(BaseModel):
    """A file of results."""

    id: str
    object: Literal["artifact"]
    name: str
    media_type: str
    bytes: Count
    sha256: Sha256
    created_at: At
    download: str
