"""Links, FIFOs and devices below a directory are refused at once, whatever they lead to."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from shared import regular_files
from shared.datasets import list_tables
from shared.errors import NotFound
from shared.regular_files import NotRegular, is_regular, open_regular
from shared.storage import Storage
from worker.data import fashion_mnist
from worker.data.errors import SourceFailed
from worker.data.table.faults import TableRefused
from worker.data.table.opening import open_table

SECRET = "ts_" + "s" * 40
Make = Callable[[Path, Path], None]


def _link(path: Path, secret: Path) -> None:
    path.symlink_to(secret)


def _fifo(path: Path, _: Path) -> None:
    os.mkfifo(path)


def _directory(path: Path, _: Path) -> None:
    path.mkdir()


def _device(path: Path, _: Path) -> None:
    path.symlink_to("/dev/zero")


SPECIAL = pytest.mark.parametrize("make", [_link, _fifo, _directory, _device])


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text(f"a,label\n{SECRET},1\n")
    return path


@SPECIAL
def test_special_file_is_not_opened(make: Make, tmp_path: Path, secret: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    make(root / "file", secret)
    with pytest.raises(NotRegular):
        open_regular(root, "file")
    assert not is_regular(root, "file")


@SPECIAL
def test_special_file_is_no_table_and_shows_nothing(
    make: Make, tmp_path: Path, secret: Path
) -> None:
    directory = tmp_path / "data" / "table"
    directory.mkdir(parents=True)
    make(directory / "x.csv", secret)
    with pytest.raises(TableRefused, match=r"`x\.csv` is a link or another special file") as raised:
        open_table(directory / "x.csv")
    assert SECRET not in str(raised.value)
    assert list_tables(tmp_path) == []


def test_directory_on_the_way_may_not_be_a_link(tmp_path: Path, secret: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "job").symlink_to(secret.parent)
    with pytest.raises(NotRegular, match="job is a link"):
        open_regular(root, "job/key")
    with pytest.raises(NotFound):
        Storage(root).path("job/key")


@pytest.mark.parametrize("relative", ["../key", "job/../../key", "/etc/passwd"])
def test_path_may_not_lead_out_of_the_root(relative: str, tmp_path: Path, secret: Path) -> None:
    root = tmp_path / "root"
    (root / "job").mkdir(parents=True)
    with pytest.raises(NotRegular, match="leads out"):
        open_regular(root, relative)
    with pytest.raises(NotFound):
        Storage(root).path(relative)
    assert secret.exists()


def test_root_may_be_a_link_and_missing_files_are_missing(tmp_path: Path) -> None:
    real, root = tmp_path / "real", tmp_path / "root"
    (real / "job").mkdir(parents=True)
    (real / "job" / "file").write_text("content")
    root.symlink_to(real)
    with open_regular(root, "job/file") as file:
        assert file.read() == b"content"
    for missing in ("job/other", "other/file"):
        with pytest.raises(FileNotFoundError):
            open_regular(root, missing)
    with pytest.raises(NotRegular):
        open_regular(root, "job/file/below")


def test_no_file_stays_open(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    before = len([*Path("/proc/self/fd").iterdir()])
    for name in ("fifo", "missing"):
        with pytest.raises(OSError, match=r"."):
            open_regular(tmp_path, name)
    assert len([*Path("/proc/self/fd").iterdir()]) == before


def test_files_of_a_data_set_may_not_be_special(tmp_path: Path) -> None:
    for name in fashion_mnist.PUBLISHED.sha256:
        os.mkfifo(tmp_path / name)
    with pytest.raises(SourceFailed, match="no train-images"):
        fashion_mnist.read_files(tmp_path)


def test_link_that_is_put_there_after_the_check_is_not_followed(
    tmp_path: Path, secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "file").symlink_to(secret)
    monkeypatch.setattr(regular_files.stat, "S_ISLNK", lambda _: False)
    with pytest.raises(NotRegular, match="file is a link"):
        open_regular(root, "file")
