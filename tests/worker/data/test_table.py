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


def test_columns_go_in_by_name_and_a_number_comes_out(path: Path) -> None:
    table = read_table(path, target="price", features=["count", "length", "is_new"], is_number=True)
    assert table.values.tolist() == [[1, 1.5, 1], [2, 2.5, 0], [3, 3.5, 1], [4, 4.5, 0]]
    assert table.targets is not None
    assert table.targets.tolist() == COLUMNS["price"]
    assert table.class_names == ()
    found = as_dataset(table)
    assert found.images.shape == (4, 3, 1, 1)
    assert found.images.dtype == np.float32


def test_values_of_a_column_are_classes_in_their_order(path: Path) -> None:
    table = read_table(path, target="kind", features=None, is_number=False)
    assert table.features == ("length", "count", "is_new", "price")
    assert table.class_names == ("a", "b")
    assert table.labels.tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize(
    ("asked", "field", "message"),
    [
        ({"target": "cost"}, "target", "'cost' is no column of .* it has length, count"),
        ({"features": ["size"]}, "features", "'size' is no column"),
        ({"features": ["price"]}, "features", "cannot go in as well"),
        ({"features": ["count", "count"]}, "features", "twice"),
        ({"features": None}, "features", "'kind' holds string, and numbers are needed"),
        ({"is_number": False}, "target", "which are no classes: take a loss for numbers"),
        ({"target": "kind"}, "target", "'kind' holds string"),
    ],
)
def test_what_cannot_be_trained_with_is_refused(
    path: Path, asked: dict[str, Any], field: str, message: str
) -> None:
    usual: dict[str, Any] = {"target": "price", "features": ["count"], "is_number": True}
    with pytest.raises(TableRefused, match=message) as refused:
        read_table(path, **{**usual, **asked})
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ([1.0, None, 3.0, 4.0], "'bad' is empty in 1 of 4 rows"),
        ([1.0, float("inf"), 3.0, 4.0], "'bad' is not finite .* in row 2"),
        ([1.0, 2.0, 1e300, 4.0], "'bad' is not finite .* in row 3"),
    ],
)
def test_holes_and_infinities_are_refused(tmp_path: Path, column: list[Any], message: str) -> None:
    path = write(tmp_path / "holes.parquet", {**COLUMNS, "bad": column})
    with pytest.raises(TableRefused, match=message):
        read_table(path, target="price", features=["bad"], is_number=True)


@pytest.mark.parametrize("content", [b"", b"\x00\xff" * 50, b"a,b\n1,2\n3\n", b"PAR1"])
@pytest.mark.parametrize("name", ["broken.csv", "broken.parquet"])
def test_a_damaged_file_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TableRefused):
        read_table(tmp_path / name, target="a", features=None, is_number=True)


def test_a_column_of_one_value_is_no_classes(tmp_path: Path) -> None:
    path = write(tmp_path / "same.csv", {"x": [1, 2], "y": ["a", "a"]})
    with pytest.raises(TableRefused, match="1 different values; classes are 2 to"):
        read_table(path, target="y", features=None, is_number=False)


class TestLoadSplits:
    @pytest.fixture
    def spec(self, tmp_path: Path) -> dict[str, Any]:
        path = write(tmp_path / "data/table/some.csv", COLUMNS)
        table = read_table(path, target="price", features=["count"], is_number=True)
        counts = {"train": 2, "validation": 1, "test": 1}
        named = {"name": "table", "file": "some.csv", "target": "price", "features": ["count"]}
        return {**named, **counts, "content_hash": table.content_hash}

    def test_rows_are_shared_out(self, spec: dict[str, Any], tmp_path: Path) -> None:
        home = {"data_dir": tmp_path / "data", "cache_dir": tmp_path / "cache"}
        dataset, splits = load_splits(spec, seed=0, is_number=True, **home)
        together = np.concatenate([splits.train, splits.validation, splits.test])
        assert sorted(together) == [0, 1, 2, 3]
        assert dataset.content_hash == spec["content_hash"]

    def test_a_file_that_has_changed_since_is_not_trained_with(
        self, spec: dict[str, Any], tmp_path: Path
    ) -> None:
        home = {"data_dir": tmp_path / "data", "cache_dir": tmp_path / "cache"}
        write(tmp_path / "data/table/some.csv", {**COLUMNS, "count": [4, 3, 2, 1]})
        with pytest.raises(DatasetMissing, match="another one than when the job was submitted"):
            load_splits(spec, seed=0, is_number=True, **home)

    def test_a_file_that_is_gone_says_so(self, spec: dict[str, Any], tmp_path: Path) -> None:
        home = {"data_dir": tmp_path / "data", "cache_dir": tmp_path / "cache"}
        (tmp_path / "data/table/some.csv").unlink()
        with pytest.raises(DatasetMissing, match=r"there is no file some\.csv"):
            load_splits(spec, seed=0, is_number=True, **home)
