"""What a loss of power leaves of a file that was published."""

import os
from pathlib import Path

import pytest

from shared.storage import publish


def test_a_file_is_on_the_disk_before_it_has_its_name_and_its_name_is_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary, final = tmp_path / "table.tmp", tmp_path / "table.csv"
    temporary.write_text("sample,label\n")
    file, directory = temporary.stat().st_ino, tmp_path.stat().st_ino
    done: list[tuple[int, bool]] = []

    def watched(descriptor: int) -> None:
        fsync(descriptor)
        done.append((os.fstat(descriptor).st_ino, final.exists()))

    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", watched)
    publish(temporary, final)

    assert done == [(file, False), (directory, True)]
    assert final.read_text() == "sample,label\n"


def test_a_disk_that_does_not_take_the_content_leaves_the_file_of_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary, final = tmp_path / "table.tmp", tmp_path / "table.csv"
    final.write_text("before")
    temporary.write_text("after")

    def fail(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output"):
        publish(temporary, final)
    assert final.read_text() == "before"
