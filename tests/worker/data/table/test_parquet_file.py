"""The index and the damage of parquet files."""

import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.worker.data.table.files import fault, faults, read, write

COLUMNS = {"a": [1, 2, 3], "label": ["x", "y", "x"], "__index_level_0__": [0, 1, 2]}


def write_with(path: Path, columns: dict[str, Any], pandas: bytes) -> Path:
    """Write a parquet file with pandas's metadata."""
    table = pa.table(columns).replace_schema_metadata({"pandas": pandas})
    parquet.write_table(table, path)
    return path


@pytest.mark.parametrize("name", ["__index_level_0__", "id", "when"])
def test_index_of_pandas_is_left_out_with_a_warning(tmp_path: Path, name: str) -> None:
    columns = {"a": COLUMNS["a"], name: [0, 1, 2], "label": COLUMNS["label"]}
    metadata = json.dumps({"index_columns": [name], "columns": []}).encode()
    path = write_with(tmp_path / "some.parquet", columns, metadata)
    table = read(path)
    assert table.features == ("a",)
    (warning,) = table.warnings
    assert warning.detail == f"column `{name}` is the index of the table and left out"
    assert warning.suggestion == "To train on it, name it in `features`."
    assert read(path, features=[name, "a"]).features == (name, "a")
    assert read(path, name, features=["a"]).class_names == ("0", "1", "2")


def test_range_of_pandas_is_no_column(tmp_path: Path) -> None:
    index = {"kind": "range", "name": None, "start": 0, "stop": 3, "step": 1}
    columns = {"a": COLUMNS["a"], "label": COLUMNS["label"]}
    metadata = json.dumps({"index_columns": [index]}).encode()
    table = read(write_with(tmp_path / "some.parquet", columns, metadata))
    assert (table.features, table.warnings) == (("a",), ())


@pytest.mark.parametrize(
    "metadata",
    [b"", b"nonsense", b"[]", b'{"index_columns": 3}', b'{"index_columns": [3, null]}', b"\xff"],
)
def test_metadata_may_be_anything(tmp_path: Path, metadata: bytes) -> None:
    """The name alone shows an index without a name."""
    table = read(write_with(tmp_path / "some.parquet", COLUMNS, metadata))
    assert table.features == ("a",)
    assert len(table.warnings) == 1


def test_damaged_file_is_refused_at_any_place(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    columns = {"a": list(range(1000)), "label": ["x", "y"] * 500}
    parquet.write_table(pa.table(columns), buffer)
    content = buffer.getvalue()
    path = tmp_path / "some.parquet"
    refused = 0
    for begin in range(0, len(content), 97):
        path.write_bytes(content[:begin] + b"\xff" * 20 + content[begin + 20 :])
        refused += bool(faults(path))
        path.write_bytes(content[:begin])
        assert "cannot be read as parquet" in fault(path)
    assert refused


def test_columns_with_dots_and_nested_columns(tmp_path: Path) -> None:
    columns = {"a.b": [1, 2, 3], "a": [4, 5, 6], "s": [{"x": 1}] * 3, "label": ["x", "y", "x"]}
    path = write(tmp_path / "some.parquet", columns)
    assert read(path, features=["a", "a.b"]).values.tolist() == [[4, 1], [5, 2], [6, 3]]
    assert "column `s` holds structures in 3 rows" in fault(path)
