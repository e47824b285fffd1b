from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from worker.data.errors import DatasetMissing
from worker.data.loading import load_splits
from worker.data.table import TableRefused, as_dataset, read_table

COLUMNS: dict[str, list[Any]] = {
    "length": [1.5, 2.5, 3.5, 4.5],
    "count": [1, 2, 3, 4],
    "is_new": [True, False, True, False],
    "kind": ["b", "a", "b", "a"],
    "price": [10.5, 20.5, 30.5, 40.5],
}


def write(path: Path, columns: dict[str, list[Any]]) -> Path:
    table = pa.table(columns)
    path.parent.mkdir(parents=True, exist_ok=True)
    (csv.write_csv if path.suffix == ".csv" else parquet.write_table)(table, path)
    return path


@pytest.fixture(params=["some.csv", "some.parquet"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return write(tmp_path / request.param, COLUMNS)


def test_features_and_a_numeric_target_are_read_by_name(path: Path) -> None:
    table = read_table(path, target="price", features=["count", "length", "is_new"], is_number=True)
    assert table.values.tolist() == [[1, 1.5, 1], [2, 2.5, 0], [3, 3.5, 1], [4, 4.5, 0]]
    assert table.targets is not None
    assert table.targets.tolist() == COLUMNS["price"]
    assert table.class_names == ()
    dataset = as_dataset(table)
    assert dataset.images.shape == (4, 3, 1, 1)
    assert dataset.images.dtype == np.float32


def test_distinct_values_of_the_target_are_the_sorted_classes(path: Path) -> None:
    table = read_table(path, target="kind", features=None, is_number=False)
    assert table.features == ("length", "count", "is_new", "price")
    assert table.class_names == ("a", "b")
    assert table.labels.tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"target": "cost"}, "target", "'cost' is not a column of .*, which has length, count"),
        ({"features": ["size"]}, "features", "'size' is not a column"),
        ({"features": ["price"]}, "features", "cannot be a feature"),
        ({"features": ["count", "count"]}, "features", "twice"),
        ({"features": None}, "features", "'kind' has the type string; it must be numeric"),
        ({"is_number": False}, "target", "cannot be classes; use a loss for numbers"),
        ({"target": "kind"}, "target", "'kind' has the type string"),
    ],
)
def test_unsuitable_columns_are_refused(
    path: Path, changes: dict[str, Any], field: str, message: str
) -> None:
    usual: dict[str, Any] = {"target": "price", "features": ["count"], "is_number": True}
    with pytest.raises(TableRefused, match=message) as refused:
        read_table(path, **{**usual, **changes})
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ([1.0, None, 3.0, 4.0], "'bad' is empty in 1 of 4 rows"),
        ([1.0, float("inf"), 3.0, 4.0], "'bad' is not finite .* in row 2"),
        ([1.0, 2.0, 1e300, 4.0], "'bad' is not finite .* in row 3"),
    ],
)
def test_missing_and_infinite_values_are_refused(
    tmp_path: Path, column: list[Any], message: str
) -> None:
    path = write(tmp_path / "holes.parquet", {**COLUMNS, "bad": column})
    with pytest.raises(TableRefused, match=message):
        read_table(path, target="price", features=["bad"], is_number=True)


@pytest.mark.parametrize("content", [b"", b"\x00\xff" * 50, b"a,b\n1,2\n3\n", b"PAR1"])
@pytest.mark.parametrize("name", ["broken.csv", "broken.parquet"])
def test_damaged_file_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TableRefused):
        read_table(tmp_path / name, target="a", features=None, is_number=True)


def test_target_with_one_distinct_value_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "same.csv", {"x": [1, 2], "y": ["a", "a"]})
    with pytest.raises(TableRefused, match="1 distinct values; 2 to 1,000 classes are allowed"):
        read_table(path, target="y", features=None, is_number=False)


class TestLoadSplits:
    @pytest.fixture
    def spec(self, tmp_path: Path) -> dict[str, Any]:
        path = write(tmp_path / "data/table/some.csv", COLUMNS)
        table = read_table(path, target="price", features=["count"], is_number=True)
        counts = {"train": 2, "validation": 1, "test": 1}
        columns = {"name": "table", "file": "some.csv", "target": "price", "features": ["count"]}
        return {**columns, **counts, "content_hash": table.content_hash}

    def test_each_row_is_in_one_split(self, spec: dict[str, Any], tmp_path: Path) -> None:
        home = {"data_dir": tmp_path / "data", "cache_dir": tmp_path / "cache"}
        dataset, splits = load_splits(spec, seed=0, is_number=True, **home)
        together = np.concatenate([splits.train, splits.validation, splits.test])
        assert sorted(together) == [0, 1, 2, 3]
        assert dataset.content_hash == spec["content_hash"]

    def test_changed_file_is_refused(self, spec: dict[str, Any], tmp_path: Path) -> None:
        home = {"data_dir": tmp_path / "data", "cache_dir": tmp_path / "cache"}
        write(tmp_path / "data/table/some.csv", {**COLUMNS, "count": [4, 3, 2, 1]})
        with pytest.raises(DatasetMissing, match="has changed since the job was submitted"):
            load_splits(spec, seed=0, is_number=True, **home)

    def test_missing_file_is_reported(self, spec: dict[str, Any], tmp_path: Path) -> None:
        home = {"data_dir": tmp_path / "data", "cache_dir": tmp_path / "cache"}
        (tmp_path / "data/table/some.csv").unlink()
        with pytest.raises(DatasetMissing, match=r"has no file some\.csv"):
            load_splits(spec, seed=0, is_number=True, **home)
