"""`table`: the columns of a table, or all of its faults; never a failed request."""

from pathlib import Path
from typing import Any

import pytest

from worker.sidecar.operations import respond

REQUEST: dict[str, Any] = {
    "operation": "table",
    "name": "table",
    "file": "some.csv",
    "target": "label",
    "features": None,
    "is_number": False,
}


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the directory of the tables of a box."""
    monkeypatch.setenv("TRAINSHED_HOME", str(tmp_path))
    directory = tmp_path / "data" / "table"
    directory.mkdir(parents=True)
    return directory


def _faults(**changes: Any) -> dict[str, str]:
    response = respond({**REQUEST, **changes})
    assert not response["ok"]
    return {fault["pointer"]: fault["detail"] for fault in response["faults"]}


def test_columns_and_warnings_are_returned(tables: Path) -> None:
    (tables / "some.csv").write_text(",a,label\n0,1,x\n1,2,y\n2,3,x\n")
    response = respond(REQUEST)
    assert response.pop("content_hash").startswith("sha256:")
    assert response == {
        "ok": True,
        "rows": 3,
        "features": ["a"],
        "classes": ["x", "y"],
        "warnings": [
            {
                "pointer": "/dataset/features",
                "detail": "column 1, which has no name, is taken for row labels and left out",
                "suggestion": "To train on it, give it a name in the file.",
            }
        ],
    }


def test_each_fault_has_its_pointer(tables: Path) -> None:
    (tables / "some.csv").write_text("a,b,label\n?,1,x\n1,2,\n")
    assert set(_faults()) == {"/dataset/file", "/dataset/features", "/dataset/target"}
    found = _faults(features=["b", "a", "c"])
    assert set(found) == {
        "/dataset/file",
        "/dataset/features/1",
        "/dataset/features/2",
        "/dataset/target",
    }


def test_missing_file_is_a_fault_with_the_nearest_file(tables: Path) -> None:
    assert _faults() == {
        "/dataset/file": "`some.csv` is not among the tables of this box. Available: none yet"
    }
    (tables / "same.csv").touch()
    assert _faults() == {
        "/dataset/file": "`some.csv` is not among the tables of this box. Did you mean `same.csv`? "
        "Available: `same.csv`"
    }
    (tables / "some.csv").mkdir()
    assert list(_faults()) == ["/dataset/file"]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"\x00",
        b"a",
        b"PAR1" + b"\x00" * 64 + b"PAR1",
        b"label\n",
        b"gr\xfc\xdfe,label\n1,x\n",
        b'"',
        b",\n,\n,\n,\n",
    ],
)
def test_any_content_is_refused_with_faults(tables: Path, suffix: str, content: bytes) -> None:
    (tables / f"some.{suffix}").write_bytes(content)
    found = _faults(file=f"some.{suffix}")
    assert found
    assert all(pointer.startswith("/dataset/") and detail for pointer, detail in found.items())
