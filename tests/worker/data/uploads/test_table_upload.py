from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.worker.data.uploads.archives import refusal
from worker.data.uploads import Report, TableUpload, check, open_upload

CSV = "width,height,name,kind\n1,2.5,a,cat\n2,3.5,b,dog\n3,4.5,c,cat\n4,5.5,d,猫\n"


def _checked(path: Path, target: str | None = None) -> Report:
    upload = open_upload(path, target=target)
    assert isinstance(upload, TableUpload)
    return check(upload, skip_bad=False, progress=lambda _: None)


def test_last_column_is_the_target(tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_text("\ufeff" + CSV.replace("\n", "\r\n"), "utf-8")
    report = _checked(path)
    assert (report.kind, report.task, report.images) == ("table", "classification", 4)
    assert [(found.name, found.images) for found in report.classes] == [
        ("cat", 2), ("dog", 1), ("猫", 1),
    ]  # fmt: skip
    assert (report.target, report.features) == ("kind", ["width", "height", "name"])
    (warning,) = report.warnings
    assert "`name` holds text" in warning.detail


def test_numbers_with_fractions_are_a_regression(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(CSV)
    report = _checked(path, target="height")
    assert (report.task, report.classes) == ("regression", ())
    assert _checked(path, target="width").task == "classification"


def test_parquet_table_without_a_suffix(tmp_path: Path) -> None:
    path = tmp_path / "upload"
    parquet.write_table(pa.table({"x": range(60), "y": [i % 3 for i in range(60)]}), path)
    report = _checked(path)
    assert [found.images for found in report.classes] == [20, 20, 20]
    assert _checked(path, target="x").task == "regression"


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (b"a,b\n1,2\n3\n", "another number of values"),
        (b"a;b\n1;2\n", "semicolons"),
        (b"a,b\n1,caf\xe9\n2,x\n3,y\n", "not UTF-8"),
        (b"a,b\n1,2\n", "at least 3"),
        (b"a\n1\n2\n3\n", "two columns"),
        (b"a,b\n1,\n2,x\n3,y\n", "has no value"),
        (b"a,b\n1,x\n2,x\n3,x\n", "the same value"),
        (b",".join(b"c%d" % i for i in range(10**6)) + b"\n" + b"1\n" * 3, "1,000,000 columns"),
        (b"plain text", "two columns"),
    ],
)
def test_bad_tables_are_refused(tmp_path: Path, content: bytes, detail: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(content)
    assert detail in "".join(refusal(path).values())


def test_formulas_are_text(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('x,y\n1,"=HYPERLINK(""http://evil"")"\n2,@SUM(1)\n3,@SUM(1)\n')
    assert [found.name for found in _checked(path).classes] == [
        '=HYPERLINK("http://evil")', "@SUM(1)",
    ]  # fmt: skip


def test_unknown_target_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(CSV)
    with pytest.raises(Exception, match="Did you mean `height`"):
        _checked(path, target="heigth")
