"""Columns of numbers, in float64."""

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.worker.data.table.files import fault, read, write, write_text

LABELS = ["x", "y", "x"]


def csv_with(folder: Path, *values: str) -> Path:
    """Write a CSV file with the feature `a`."""
    rows = zip(values, LABELS, strict=True)
    return write_text(folder, "a,label\n" + "".join(f"{a},{label}\n" for a, label in rows))


def parquet_with(folder: Path, values: Any) -> Path:
    """Write a parquet file with the feature `a`."""
    return write(folder / "some.parquet", {"a": values, "label": LABELS})


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (["1700000000", "1700000001", "1700000002"], [1.7e9, 1.7e9 + 1, 1.7e9 + 2]),
        (["1", "0.5", "-2e3"], [1, 0.5, -2000]),
        ([" 1", "2 ", " +3 "], [1, 2, 3]),
        (['"1.5"', '"2"', "3"], [1.5, 2, 3]),
        (["true", "false", "true"], [1, 0, 1]),
        (["True", "FALSE", "True"], [1, 0, 1]),
        (["007", "08", "9."], [7, 8, 9]),
        (["9007199254740993", "1", "2"], [9007199254740992, 1, 2]),
    ],
)
def test_numbers_of_a_csv_file(tmp_path: Path, texts: list[str], values: list[float]) -> None:
    assert read(csv_with(tmp_path, *texts)).values[:, 0].tolist() == values


def test_first_part_of_a_file_decides_nothing(tmp_path: Path) -> None:
    """Pyarrow infers types from the first megabyte."""
    count = 200_000
    rows = "".join(f"{row},x\n" for row in range(count))
    table = read(write_text(tmp_path, f"a,label\n{rows}0.5,01\n0.5,1\n"))
    assert table.values[-1, 0] == 0.5
    assert table.class_names == ("01", "1", "x")
    path = write_text(tmp_path, f"a,label\n{rows}?,y\n")
    assert 'in 1 row: "?" in row 200,002' in fault(path)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([1, 2, 2**63], pa.uint64()), [1, 2, 2.0**63]),
        (pa.array([1.5, 2.5, 0.25], pa.float16()), [1.5, 2.5, 0.25]),
        ([Decimal("1.50"), Decimal("2.00"), Decimal("-0.25")], [1.5, 2, -0.25]),
        ([True, False, True], [1, 0, 1]),
        (pa.array([5, 7, 5]).dictionary_encode(), [5, 7, 5]),
    ],
)
def test_numbers_of_a_parquet_file(tmp_path: Path, values: Any, expected: list[float]) -> None:
    assert read(parquet_with(tmp_path, values)).values[:, 0].tolist() == expected


@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        (["1", "?", "3"], 'holds text in 1 row: "?" in row 3'),
        (["1,5", "2", "3"], None),
        (['"1,5"', "2", "3"], 'holds text in 1 row: "1,5" in row 2'),
        (["true", "1", "false"], 'holds text in 2 rows: "true" in row 2, "false" in row 4'),
        (["1", "", "NA"], "has no value in 2 rows: row 3, row 4"),
        (["1", '""', " null "], "has no value in 2 rows: row 3, row 4"),
        (["nan", "?", "3"], 'has no value in 1 row: row 2, and holds text in 1 row: "?" in row 3'),
        (
            ["inf", "-Infinity", "3"],
            'not within ±3.4e+38 in 2 rows: "inf" in row 2, "-Infinity"',
        ),
        (["1e300", "1e999", "3"], 'is not within ±3.4e+38 in 2 rows: "1e300" in row 2, "1e999" in'),
        (["0x10", "1_000", "٣"], "holds text in 3 rows"),
        (["2024-01-01", "2024-01-02", "2024-01-03"], 'text in 3 rows: "2024-01-01" in row 2'),
    ],
)
def test_values_of_a_csv_file_that_are_no_numbers_are_refused(
    tmp_path: Path, texts: list[str], problem: str | None
) -> None:
    detail = fault(csv_with(tmp_path, *texts))
    assert (problem or "has another number of values than its 2 columns") in detail


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        (["1", "2", "3"], 'holds text in 3 rows: "1" in row 2'),
        ([1.0, None, float("nan")], "has no value in 2 rows: row 3, row 4"),
        ([1.0, float("inf"), 1e300], "is not within ±3.4e+38 in 2 rows: inf in row 3, 1e+300 in"),
        ([dt.date(2024, 1, 1)] * 3, "holds dates or times in 3 rows: 2024-01-01 in row 2"),
        ([dt.timedelta(1)] * 3, "holds dates or times in 3 rows: 1 day, 0:00:00 in row 2"),
        (pa.array([2**55] * 3, pa.timestamp("ms")), "times in 3 rows: a timestamp[ms] in row 2"),
        ([[1], [2], None], "has no value in 1 row: row 4, and holds lists in 2 rows: [1] in row 2"),
        ([{"x": 1}, {"x": 2}, {"x": 3}], "holds structures in 3 rows"),
        ([b"\xff", b"1", b"2"], r'holds bytes in 3 rows: "\xff" in row 2'),
        (pa.nulls(3), "has no value in 3 rows"),
        (pa.array(["a", "b", "a"]).dictionary_encode(), 'holds text in 3 rows: "a" in row 2'),
    ],
)
def test_values_of_a_parquet_file_that_are_no_numbers_are_refused(
    tmp_path: Path, values: Any, problem: str
) -> None:
    assert problem in fault(parquet_with(tmp_path, values))
