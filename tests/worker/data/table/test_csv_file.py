"""Rows and encodings of CSV files."""

import codecs
from pathlib import Path

import pytest

from tests.worker.data.table.files import fault, faults, read, write_text
from worker.data.table import csv_file

ROWS = ["1,café", "2,thé", "3,eau", "4,café"]
TEXT = "a,label\n" + "\n".join(ROWS) + "\n"


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("end", ["", "\n"])
def test_utf_8_is_read(tmp_path: Path, mark: bytes, newline: str, end: str) -> None:
    text = (TEXT.strip() + end).replace("\n", newline)
    table = read(write_text(tmp_path, mark + text.encode()))
    assert table.features == ("a",)
    assert table.class_names == ("café", "eau", "thé")
    assert table.values[:, 0].tolist() == [1, 2, 3, 4]


def test_cells_that_are_not_utf_8_are_refused_with_row_and_column(tmp_path: Path) -> None:
    assert fault(write_text(tmp_path, TEXT.encode("latin-1"))) == (
        r'`some.csv` is not UTF-8 in 3 rows: "caf\xe9" in column `label` in row 2, '
        r'"th\xe9" in column `label` in row 3, "caf\xe9" in column `label` in row 5. '
        "Save the file as UTF-8"
    )


@pytest.mark.parametrize("encoding", ["cp1252", "cp850", "koi8-r", "shift-jis", "gb18030"])
def test_other_encodings_are_refused(tmp_path: Path, encoding: str) -> None:
    text = "a,label\n1,x\n2,größe\n3,да\n4,日本\n"
    detail = fault(write_text(tmp_path, text.encode(encoding, "ignore")))
    assert detail.startswith("`some.csv` is not UTF-8 in ")
    assert "in column `label` in row 3" in detail or "in column `label` in row 4" in detail


def test_header_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    path = write_text(tmp_path, "größe,label\n1,x\n2,y\n3,x\n".encode("latin-1"))
    assert fault(path, "label") == (
        r'`some.csv` is not UTF-8: the header names column 1 "gr\xf6\xdfe". Save the file as UTF-8'
    )


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_utf_16_is_refused(tmp_path: Path, encoding: str) -> None:
    detail = fault(write_text(tmp_path, TEXT.encode(encoding)))
    assert detail.startswith("`some.csv` is not UTF-8: it is UTF-16, or not text at all, from")


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_other_separators_are_refused(tmp_path: Path, separator: str) -> None:
    detail = fault(write_text(tmp_path, TEXT.replace(",", separator)))
    assert detail.startswith("`some.csv` separates its columns by ")
    assert detail.endswith("; use commas")


def test_rows_of_another_length_are_refused(tmp_path: Path) -> None:
    path = write_text(tmp_path, "a,b,label\n1,2,x\n1,y\n1,2,x\n1,2,3,z\n")
    assert fault(path) == (
        "`some.csv` has another number of values than its 3 columns in 2 rows: "
        '2 ("1,y") in row 3, 4 ("1,2,3,z") in row 5. Put values that contain commas in quotes'
    )


def test_rows_are_counted_with_the_header_and_blank_lines(tmp_path: Path) -> None:
    begin = '\n\na,"the\nlabel"\n1,x\n\n'
    path = write_text(tmp_path, f"{begin}?,y\n2,x\n")
    assert '"?" in row 6' in fault(path, "the\nlabel", features=["a"])
    path = write_text(tmp_path, f"{begin}1,y,z\n2,x\n2,x\n")
    assert '3 ("1,y,z") in row 6' in fault(path, "the\nlabel", features=["a"])
    path = write_text(tmp_path, f"{begin}1,y\n2,x\n2,x\n")
    assert read(path, "the\nlabel", features=["a"]).values[:, 0].tolist() == [1, 1, 2, 2]


def test_value_of_several_lines_is_one_row(tmp_path: Path) -> None:
    path = write_text(tmp_path, 'note,a,label\n"one\ntwo\n\nthree",1,x\nfour,?,y\nfive,2,x\n')
    assert '"?" in row 3' in fault(path, features=["a"])


@pytest.mark.parametrize(
    "text", ['a,label\n"1,x\n2,y\n', 'a,label\n1,"x\n2,y\n', '"a,label\n1,x\n']
)
def test_quote_that_never_ends_is_refused(tmp_path: Path, text: str) -> None:
    assert faults(write_text(tmp_path, text))


def test_row_longer_than_a_block_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_file, "BLOCK_BYTES", 2**17)
    long = "x" * 2**20
    assert "cannot be read as CSV" in fault(write_text(tmp_path, f"a,label\n1,{long}\n2,y\n3,x\n"))
    assert "cannot be read" in fault(write_text(tmp_path, f"{long},label\n1,y\n2,y\n3,x\n"))
