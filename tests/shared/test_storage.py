"""Published files survive a loss of power."""

import os
from pathlib import Path

import pytest

from shared.storage import publish


def test_content_is_flushed_before_the_rename_and_the_name_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary, final = tmp_path / "table.tmp", tmp_path / "table.csv"
    temporary.write_text("sample,label\n")
    file, directory = temporary.stat().st_ino, tmp_path.stat().st_ino
    flushed: list[tuple[int, bool]] = []

    def record_fsync(descriptor: int) -> None:
        fsync(descriptor)
        flushed.append((os.fstat(descriptor).st_ino, final.exists()))

    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", record_fsync)
    publish(temporary, final)

    assert flushed == [(file, False), (directory, True)]
    assert final.read_text() == "sample,label\n"


def test_failed_flush_leaves_the_earlier_file(
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
