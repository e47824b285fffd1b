"""Labels are text, as they stand in the file."""

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.worker.data.table.files import fault, read, write, write_text


def csv_with(folder: Path, *labels: str) -> Path:
    """Write a CSV file with these labels, each as it is."""
    return write_text(
        folder, "a,label\n" + "".join(f"{row},{text}\n" for row, text in enumerate(labels))
    )


def parquet_with(folder: Path, labels: Any) -> Path:
    """Write a parquet file with these labels and their type."""
    return write(folder / "some.parquet", {"a": list(range(len(labels))), "label": labels})


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (['"01"', '"1"', '"2"'], ("01", "1", "2")),
        (["01", "1", "2"], ("01", "1", "2")),
        (["007", "7", "07"], ("007", "07", "7")),
        (["10", "9", "1"], ("1", "9", "10")),
        (["-1", "1", "0"], ("-1", "0", "1")),
        (["true", "false", "true"], ("false", "true")),
        (["2024-01-01", "2024-01-02", "x"], ("2024-01-01", "2024-01-02", "x")),
        (["0.0", "1.0", "10.0", "2.0"], ("0", "1", "2", "10")),
        (["0.", "1.0", "1.00"], ("0", "1")),
        (["-0.0", "1.0", "0.0"], ("0", "1")),
        (["1.0e3", "2.0", "2.0"], ("2", "1000")),
        (["1e5", "2e3", "7"], ("1e5", "2e3", "7")),
        (["1.0", "1", "x"], ("1", "1.0", "x")),
        (["1", "1.0", "2"], ("1", "1.0", "2")),
        (["1.0.0", "1.0.1", "1.0.0"], ("1.0.0", "1.0.1")),
        (["1.5", "2.5", "other"], ("1.5", "2.5", "other")),
        (['"NA"', "FR", "DE"], ("DE", "FR", "NA")),
        (['"a,b"', '"a""b"', "c"], ('a"b', "a,b", "c")),
        (["café", "thé", "eau"], ("café", "eau", "thé")),
        (["猫", "犬", "猫"], ("犬", "猫")),
        (["9007199254740993.0", "1.0", "1.0"], ("1.0", "9007199254740993.0")),
    ],
)
def test_classes_of_a_csv_file_are_its_texts(
    tmp_path: Path, labels: list[str], classes: tuple[str, ...]
) -> None:
    table = read(csv_with(tmp_path, *labels))
    assert table.class_names == classes
    assert len(table.labels) == len(labels)
    assert set(table.labels) == set(range(len(classes)))


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["01", "1", "2"], ("01", "1", "2")),
        (["1.0", "1.00", "2.0"], ("1.0", "1.00", "2.0")),
        ([True, False, True], ("False", "True")),
        ([3, 20, 100], ("3", "20", "100")),
        ([0.0, 1.0, 0.0], ("0", "1")),
        ([Decimal("1.00"), Decimal("2.00"), Decimal("1.00")], ("1", "2")),
        ([b"cat", b"dog", b"cat"], ("cat", "dog")),
        ([dt.date(2024, 1, 2), dt.date(2024, 1, 1)] * 2, ("2024-01-01", "2024-01-02")),
        (pa.array(["b", "a", "b"]).dictionary_encode(), ("a", "b")),
        (pa.array([7, 5, 7]).dictionary_encode(), ("5", "7")),
        (pa.array(["b", "a", "b"], pa.large_string()), ("a", "b")),
        (pa.array([0, 1, 2], pa.uint8()), ("0", "1", "2")),
    ],
)
def test_classes_of_a_parquet_file_are_its_values_as_text(
    tmp_path: Path, labels: Any, classes: tuple[str, ...]
) -> None:
    table = read(parquet_with(tmp_path, labels))
    assert table.class_names == classes
    values = labels.to_pylist() if isinstance(labels, pa.Array) else labels
    assert len(set(zip(values, table.labels.tolist(), strict=True))) == len(classes)


@pytest.mark.parametrize("missing", ["", '""', " ", '" "', "NA", "NaN", "nan", "null", "N/A"])
def test_missing_label_of_a_csv_file_is_refused(tmp_path: Path, missing: str) -> None:
    path = csv_with(tmp_path, "cat", missing, "dog", "cat", missing)
    assert fault(path).startswith("column `label` has no value in 2 rows: row 3, row 6 (an empty")


@pytest.mark.parametrize(
    "labels", [["cat", None, "dog", ""], [1, None, 2, None], [0.0, float("nan"), 1.0, None]]
)
def test_missing_label_of_a_parquet_file_is_refused(tmp_path: Path, labels: list[Any]) -> None:
    assert fault(parquet_with(tmp_path, labels)) == (
        "column `label` has no value in 2 rows: row 3, row 5"
    )


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        (["1.5", "2.0", "2.5"], 'a fraction in 2 rows: "1.5" in row 2, "2.5" in row 4; classes'),
        (["1", "2.5", "3"], 'a fraction in 1 row: "2.5" in row 3; classes must be text or whole'),
        (["x" * 201, "b", "c"], "labels of more than 200 characters in 1 row"),
        (
            ['"a\nb"', "b", "c"],
            'such as a line break, in 1 row: "a\\u000ab" in row 2',
        ),
        (["a\x1b[2J", "b", "c"], "control characters"),
        (["cat"] * 3, "has the same value, `cat`, in every row; there must be at least 2 classes"),
        ([f"u{row}" for row in range(1001)], "has 1,001 distinct values; at most 1,000 classes"),
        ([f"{row}" for row in range(1001)], "take a loss for regression, such as `l2`"),
    ],
)
def test_texts_that_cannot_be_classes_are_refused(
    tmp_path: Path, labels: list[str], text: str
) -> None:
    assert text in fault(csv_with(tmp_path, *labels))


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        ([1.5, 2.0, float("inf")], "a fraction in 2 rows: 1.5 in row 2, inf in row 4"),
        ([1e300, 1.0, 2.0], "a fraction in 1 row: 1e+300 in row 2"),
        ([b"caf\xe9", b"cat", b"th\xe9"], r'is not UTF-8 in 2 rows: "caf\xe9" in row 2, "th\xe9"'),
        ([[1], [2], [1]], "holds lists, which cannot be classes"),
        ([{"x": 1}, {"x": 2}, {"x": 1}], "holds structures, which cannot be classes"),
        (pa.nulls(3), "has no value in 3 rows"),
    ],
)
def test_values_that_cannot_be_classes_are_refused(tmp_path: Path, labels: Any, text: str) -> None:
    assert text in fault(parquet_with(tmp_path, labels))
