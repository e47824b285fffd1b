"""The data set of a specification."""

from typing import Annotated, Literal

from pydantic import Field

from shared.spec.fields import (
    MAX_FEATURES,
    NUMBER,
    ColumnName,
    Count,
    Digest,
    MethodName,
    TableFile,
    one_of_numbers,
)
from shared.spec.part import SpecPart


class DatasetSpec(SpecPart):
    """The data set: its name, target, splits, image shape and normalization."""

    name: MethodName
    #: The value to predict instead of classes, or the target column of a table.
    target: ColumnName | None = None
    #: Of a table: its file.
    file: TableFile | None = None
    #: Of a table: the input columns; null for all columns except the target.
    features: (
        Annotated[tuple[ColumnName, ...], Field(min_length=1, max_length=MAX_FEATURES)] | None
    ) = None
    #: Of a table or an upload: the digest that it must have; filled in at admission.
    content_hash: Digest | None = None
    #: Of the regression of a table: how the target is scaled for the network.
    target_normalization: Literal["standardize", "none"] | None = None
    train: Count | None = None
    validation: Count | None = None
    test: Count | None = None
    image_size: Annotated[int, Field(ge=8, le=1024), NUMBER] | None = None
    channels: Annotated[Literal[1, 3], one_of_numbers(1, 3)] | None = None
    #: Of images that are not square; null for `crop`.
    resize: Literal["crop", "pad", "stretch"] | None = None
    #: Null stands for `standardize`, or for `of_weights` when fine-tuning starts with weights.
    normalization: Literal["standardize", "unit", "none", "of_weights"] | None = None
    #: Of images: where they stay during training, on the device or outside of it. Null for the
    #: device, unless they do not fit there next to the network.
    residency: Literal["device", "host"] | None = None
