from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.worker.data.table.files import fault, faults, read, write, write_text
from worker.data.errors import DatasetMissing
from worker.data.loading import load_splits
from worker.data.table import as_dataset, opening, read_table, reading

COLUMNS: dict[str, list[Any]] = {
    "length": [1.5, 2.5, 3.5, 4.5],
    "count": [1, 2, 3, 4],
    "is_new": [True, False, True, False],
    "kind": ["b", "a", "b", "a"],
    "price": [10.5, 20.5, 30.5, 40.5],
}


@pytest.fixture(params=["some.csv", "some.parquet"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return write(tmp_path / request.param, COLUMNS)


def test_features_and_a_numeric_target_are_read_by_name(path: Path) -> None:
    table = read_table(path, target="price", features=["count", "length", "is_new"], is_number=True)
    assert table.features == ("count", "length", "is_new")
    assert table.values.tolist() == [[1, 1.5, 1], [2, 2.5, 0], [3, 3.5, 1], [4, 4.5, 0]]
    assert table.targets is not None
    assert table.targets.tolist() == COLUMNS["price"]
    assert table.class_names == ()
    dataset = as_dataset(table, "table")
    assert dataset.features == table.features
    assert dataset.images.shape == (4, 3, 1, 1)
    assert dataset.images.dtype == np.float64


def test_all_columns_but_the_target_are_features(path: Path) -> None:
    table = read(path, "kind")
    assert table.features == ("length", "count", "is_new", "price")
    assert table.class_names == ("a", "b")
    assert table.labels.tolist() == [1, 0, 1, 0]
    assert table.warnings == ()


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        (
            {"target": "cost"},
            "target",
            "`cost` is not a column. Did you mean `count`? The",
        ),
        ({"features": ["size"]}, "features/0", "`size` is not a column"),
        ({"features": ["price"]}, "features/0", "`price` is the target, so it cannot be a feature"),
        ({"features": ["count", "count"]}, "features/1", "`count` is named twice"),
        ({"features": None}, "features", 'column `kind` holds text in 4 rows, such as "b" in row'),
        ({"features": ["count", "kind"]}, "features/1", "column `kind` holds text in 4 rows"),
        ({"is_number": False}, "target", "column `price` holds numbers with a fraction in 4 rows"),
        ({"is_number": False}, "target", "take a loss for regression, such as `l2`"),
        ({"target": "kind"}, "target", "column `kind` holds text in 4 rows"),
    ],
)
def test_unsuitable_columns_are_refused(
    path: Path, changes: dict[str, Any], field: str, message: str
) -> None:
    usual: dict[str, Any] = {"target": "price", "features": ["count"], "is_number": True}
    ((actual_field, detail),) = faults(path, **{**usual, **changes})
    assert actual_field == field
    assert message in detail


def test_all_faults_of_a_table_come_together(tmp_path: Path) -> None:
    text = "id,city,a,b,label\nu0,Oslo,1,x,cat\nu1,Rome,,2,\nu2,Oslo,inf,3,dog\n"
    found = dict(faults(write_text(tmp_path, text)))
    assert set(found) == {"features", "target"}
    assert found["target"].startswith("column `label` has no value in 1 row: row 3")
    assert found["features"] == (
        'column `id` holds text in 3 rows: "u0" in row 2, "u1" in row 3, "u2" in row 4; '
        'column `city` holds text in 3 rows: "Oslo" in row 2, "Rome" in row 3, "Oslo" in row 4; '
        "column `a` has no value in 1 row: row 3, and is not within ±3.4e+38 in 1 row: "
        '"inf" in row 4; column `b` holds text in 1 row: "x" in row 2. A feature must be a finite '
        "number in every row. Correct the file, or name only other columns in `features`"
    )


def test_named_features_have_a_fault_each(tmp_path: Path) -> None:
    path = write_text(tmp_path, "a,b,c,label\nx,1,,cat\n1,2,3,dog\n1,2,3,dog\n")
    found = dict(faults(path, "lable", features=["b", "a", "cc", "c"]))
    assert set(found) == {"target", "features/1", "features/2", "features/3"}
    assert "Did you mean `label`?" in found["target"]
    assert "Did you mean `c`?" in found["features/2"]


def test_long_list_of_faults_is_cut(tmp_path: Path) -> None:
    names = [f"column{index}" for index in range(400)]
    row = ",".join(["x"] * 400)
    path = write_text(tmp_path, f"{','.join(names)},label\n" + f"{row},cat\n{row},dog\n" * 2)
    detail = fault(path)
    assert all(f"column `column{index}` holds text in 4 rows" in detail for index in range(10))
    assert "; and so for 390 other columns: `column10`, `column11`, " in detail
    assert " and 370 more. A feature must be" in detail
    assert len(detail) < 4000


@pytest.mark.parametrize("rows", [0, 1, 2])
@pytest.mark.parametrize("is_number", [True, False])
@pytest.mark.parametrize("name", ["some.csv", "some.parquet"])
def test_fewer_rows_than_splits_are_refused(
    tmp_path: Path, name: str, rows: int, is_number: bool
) -> None:
    columns = {"a": list(range(rows)), "label": list(range(rows))}
    found = dict(faults(write(tmp_path / name, columns), is_number=is_number))
    assert found["file"].endswith("of data; it must have at least 3 rows, one for each split")
    assert f" has {rows} row" in found["file"]


@pytest.mark.parametrize("content", ["a,label\n", "a,label", "a,label\n\n\n", "\n\na,label\r\n"])
def test_header_alone_has_no_rows(tmp_path: Path, content: str) -> None:
    assert "`some.csv` has 0 rows of data" in fault(write_text(tmp_path, content))


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\x00\xff" * 50, b"a,b\n1,2\n3\n", b"PAR1"])
@pytest.mark.parametrize("name", ["broken.csv", "broken.parquet"])
def test_damaged_file_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert faults(tmp_path / name, "a", is_number=True)


def test_table_that_takes_too_long_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_CELLS", 19)
    assert fault(path, "kind") == (
        f"`{path.name}` has 4 rows of 5 columns; 19 cells are allowed. Name fewer columns in "
        "`features`"
    )
    assert faults(path, "kind", features=["count"]) == []
    monkeypatch.setattr(opening, "MAX_BYTES", 2**4)
    assert "exceeds the limit" in fault(path, "kind")


def test_classes_that_look_the_same_are_a_warning(tmp_path: Path) -> None:
    path = write_text(tmp_path, "a,label\n1,cat\n2, cat\n3,Cat\n4,dog\n")
    table = read(path)
    assert table.class_names == (" cat", "Cat", "cat", "dog")
    (warning,) = table.warnings
    assert warning.field == "target"
    assert warning.detail == (
        'the classes " cat", "Cat", "cat" differ only in case or in the spaces around them'
    )


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
