"""A parquet file of pictures in the layout of the Hugging Face hub.

Source: Hugging Face, «datasets», the features Image (`{bytes, path}`) and ClassLabel, whose names
are in the schema's metadata under `huggingface`.
"""

import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from worker.data.table.column import is_text
from worker.data.uploads.class_folders import TRAIN
from worker.data.uploads.faults import BadFile, Fault, UploadRejected, fault
from worker.data.uploads.npz_labels import read_labels
from worker.data.uploads.upload import Picture

MAX_IMAGES = 1_000_000
#: Of a batch of rows in memory.
BATCH_BYTES, MAX_BATCH_ROWS = 16 * 2**20, 256
#: A damaged file raises any of these.
DAMAGED = (pa.ArrowException, OSError, ValueError, KeyError)
LABEL_NAMES = ("label", "labels", "class", "target")


class HubUpload:
    """The pictures of a parquet file, in the order of its rows.

    Args:
        file: the open file.
        image: the column of pictures.

    Raises:
        UploadRejected: there is no column of labels, or it has values that are no labels.
    """

    faults: Sequence[Fault] = ()
    has_splits = False

    def __init__(self, file: parquet.ParquetFile, image: str) -> None:
        self._file, self._image = file, image
        rows: int = file.metadata.num_rows
        if not 1 <= rows <= MAX_IMAGES:
            detail = f"The file has {rows:,} rows; 1 to {MAX_IMAGES:,} are allowed"
            raise UploadRejected([fault("", detail)])
        schema = file.schema_arrow
        names = _class_names(schema)
        label = _label_column(schema, names)
        try:
            column = file.read(columns=[label]).column(0)
        except DAMAGED as error:
            raise _damaged(error) from error
        if column.null_count:
            detail = f"has no value in {column.null_count:,} rows; every picture needs a label"
            raise UploadRejected([fault(label, detail)])
        labels = read_labels([label], [_values(column, label)], names.get(label))
        self.labels, self.class_names = labels.labels, labels.class_names
        self.splits = np.full(rows, TRAIN, np.int8)

    def __len__(self) -> int:
        return len(self.labels)

    def pictures(self) -> Iterator[Picture]:
        """Yield all pictures in order.

        Raises:
            UploadRejected: the file is damaged.
        """
        number = 0
        size = sum(
            self._file.metadata.row_group(group).total_byte_size
            for group in range(self._file.metadata.num_row_groups)
        )
        rows = max(1, min(MAX_BATCH_ROWS, BATCH_BYTES * len(self) // max(1, size)))
        try:
            for batch in self._file.iter_batches(rows, columns=[self._image], use_threads=False):
                for cell in batch.column(0).to_pylist():
                    content = (cell or {}).get("bytes")
                    name, label = f"{self._image}[{number}]", int(self.labels[number])
                    size = len(content or b"")
                    yield Picture(name, label, TRAIN, size, partial(_content, content))
                    number += 1
        except DAMAGED as error:
            raise _damaged(error) from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def open_parquet(path: Path) -> HubUpload | None:
    """Open a parquet file; return None if it is a table without pictures.

    Raises:
        UploadRejected: the file is damaged, or has pictures without labels.
    """
    try:
        file = parquet.ParquetFile(path, buffer_size=2**20, pre_buffer=False)
        image = _image_column(file.schema_arrow)
    except DAMAGED as error:
        raise _damaged(error) from error
    return None if image is None else HubUpload(file, image)


def _image_column(schema: pa.Schema) -> str | None:
    """Return the name of the first column of structures with `bytes`."""
    for column in schema:
        if pa.types.is_struct(column.type) and column.type.get_field_index("bytes") >= 0:
            return str(column.name)
    return None


def _class_names(schema: pa.Schema) -> dict[str, np.ndarray]:
    """Return the names of the classes in the schema's metadata, by column."""
    try:
        metadata = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        features: dict[str, Any] = metadata.get("info", {}).get("features", {})
        return {
            name: np.array([str(each) for each in feature["names"]])
            for name, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
        }
    except (ValueError, KeyError, AttributeError, TypeError):
        return {}


def _label_column(schema: pa.Schema, names: dict[str, np.ndarray]) -> str:
    for name in (*names, *LABEL_NAMES):
        if name in schema.names:
            return name
    detail = f"The file has pictures and no column named {', '.join(LABEL_NAMES)}"
    raise UploadRejected([fault("", detail)])


def _values(column: pa.ChunkedArray, label: str) -> np.ndarray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if is_text(column.type):
        return np.array(column.to_pylist(), np.str_)
    if not pa.types.is_integer(column.type):
        detail = f"has values of the type {column.type}; labels must be integers or text"
        raise UploadRejected([fault(label, detail)])
    return column.to_numpy()


def _content(content: bytes | None) -> bytes:
    if content is None:
        raise BadFile("has no bytes; store the pictures in the file, not only their paths")
    return content


def _damaged(error: Exception) -> UploadRejected:
    reason = str(error).split("\n", 1)[0][:200]
    return UploadRejected([fault("", f"The parquet file is damaged: {reason}")])
