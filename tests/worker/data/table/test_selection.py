"""Columns are chosen by name."""

from pathlib import Path

import pytest

from tests.worker.data.table.files import fault, faults, read, write, write_text
from worker.data.table.selection import select


def test_index_without_a_name_is_left_out_with_a_warning(tmp_path: Path) -> None:
    table = read(write_text(tmp_path, ",a,label\n0,1,x\n1,2,y\n2,3,x\n"))
    assert table.features == ("a",)
    (warning,) = table.warnings
    assert warning.field == "features"
    assert warning.detail == "column 1, which has no name, is taken for row labels and left out"


@pytest.mark.parametrize("header", ["Unnamed: 0", "Unnamed: 0.1,Unnamed: 0", ",", " ,Unnamed: 1"])
def test_index_that_pandas_wrote_again_is_left_out(tmp_path: Path, header: str) -> None:
    columns = header.count(",") + 1
    row = ",".join(["0"] * columns)
    text = f"{header},a,label\n" + "".join(f"{row},{a},{a}\n" for a in "123")
    table = read(write_text(tmp_path, text))
    assert table.features == ("a",)
    assert len(table.warnings) == columns


def test_index_column_that_is_named_is_used(tmp_path: Path) -> None:
    path = write_text(tmp_path, "Unnamed: 0,a,label\n0,1,x\n1,2,y\n2,3,x\n")
    table = read(path, features=["Unnamed: 0"])
    assert table.features == ("Unnamed: 0",)
    assert table.warnings == ()
    assert read(path, "Unnamed: 0", features=["a"]).class_names == ("0", "1", "2")


def test_index_is_not_enough_to_predict_from(tmp_path: Path) -> None:
    detail = fault(write_text(tmp_path, ",label\n0,x\n1,y\n2,x\n"))
    assert detail == "There is no column to predict `label` from but the index; add one"
    detail = fault(write(tmp_path / "some.parquet", {"label": ["x", "y", "x"]}))
    assert detail == "There is no column to predict `label` from; add one"


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("a\u200b", "column 2 (`a\\u200b`) has an unusable name: it contains U+200B"),
        ("\ufeffa", "column 2 (`\\ufeffa`) has an unusable name: it contains U+FEFF"),
        ("\u202ea", "column 2 (`\\u202ea`) has an unusable name: it contains U+202E"),
        ('"a\nb"', "column 2 (`a\\u000ab`) has an unusable name: it contains U+000A"),
        ("n" * 201, "has a name of 201 characters; at most 200 are allowed"),
        ("", "column 2 has no name"),
        ("x", "the columns 1 and 2 are both named `x`; give each a different name"),
    ],
)
def test_unusable_name_of_a_feature_is_refused(tmp_path: Path, name: str, problem: str) -> None:
    path = write_text(tmp_path, f"x,{name},ok,label\n1,2,3,y\n1,2,3,z\n1,2,3,y\n")
    detail = fault(path)
    assert problem in detail
    assert detail.endswith("Rename these columns, or name the others in `features`")
    assert read(path, features=["ok"]).features == ("ok",)


def test_name_of_200_characters_is_usable(tmp_path: Path) -> None:
    name = "n" * 200
    path = write_text(tmp_path, f"{name},label\n1,y\n2,z\n3,y\n")
    assert read(path).features == (name,)


def test_duplicate_of_an_index_column_is_refused(tmp_path: Path) -> None:
    """A specification names columns, so it could not tell the two apart."""
    path = write_text(tmp_path, "Unnamed: 0,label,Unnamed: 0\n1,x,2\n2,y,3\n3,x,4\n")
    assert "the columns 1 and 3 are both named `Unnamed: 0`" in fault(path)


def test_duplicate_of_the_target_is_refused(tmp_path: Path) -> None:
    path = write_text(tmp_path, "a,label,label\n1,y,y\n2,z,z\n3,y,y\n")
    assert faults(path) == [
        ("target", "the columns 2 and 3 are both named `label`; give each a different name")
    ]
    path = write_text(tmp_path, "a,a,label\n1,1,y\n2,2,z\n3,3,y\n")
    ((field, detail),) = faults(path, features=["a"])
    assert (field, "both named `a`" in detail) == ("features/0", True)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("columm24x", "column24"), ("Column7", "column7"), ("colunm312", "column312")],
)
def test_nearest_of_400_columns_is_named(name: str, nearest: str) -> None:
    names = [f"column{index}" for index in range(400)]
    (fault,) = select(names, frozenset(), target=name, features=["column1"]).faults
    assert fault.detail.startswith(f"`{name}` is not a column. Did you mean `{nearest}`?")
    assert fault.detail.endswith(" and 380 more")
    (fault,) = select(names, frozenset(), target="column1", features=[name]).faults
    assert f"Did you mean `{nearest}`?" in fault.detail


def test_spaces_of_a_name_are_visible(tmp_path: Path) -> None:
    path = write_text(tmp_path, "a, b, label\n1, 2, y\n2, 3, z\n3, 4, y\n")
    assert fault(path) == (
        "`label` is not a column. Did you mean ` label`? The columns are `a`, ` b`, ` label`"
    )
    assert read(path, " label").features == ("a", " b")


def test_mistyped_target_is_no_feature(tmp_path: Path) -> None:
    path = write_text(tmp_path, "a,label\n1,y\n?,z\n3,y\n")
    found = dict(faults(path, "lable"))
    assert set(found) == {"target", "features"}
    assert "label" not in found["features"]
    assert [field for field, _ in faults(path, "zzz")] == ["target"]


def test_more_features_than_a_specification_may_have_are_refused() -> None:
    names = [f"c{index}" for index in range(10_002)]
    (fault,) = select(names, frozenset(), target="c0", features=None).faults
    assert fault.detail.startswith("has 10,001 features; at most 10,000 are allowed")
