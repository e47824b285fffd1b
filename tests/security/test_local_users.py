"""Other users of the machine can neither read the box's files nor take the place of its sockets."""

import os
import stat
import tempfile
from pathlib import Path

import pytest

from shared.settings import Settings

#: So long that sockets below it would have too long a path.
LONG = "h" * 120


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_home_and_database_that_were_open_are_closed(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    settings.home.mkdir(mode=0o755)
    database = Path(settings.database.removeprefix("sqlite:///"))
    files = [database, database.with_name(f"{database.name}-wal")]
    for file in files:
        file.write_bytes(b"")
    settings.make_directories()
    assert _mode(settings.home) == 0o700
    assert [_mode(file) for file in files] == [0o600, 0o600]


def test_database_outside_the_home_is_closed_too(tmp_path: Path) -> None:
    database = tmp_path / "jobs.db"
    database.write_bytes(b"")
    Settings(home=tmp_path / "home", database_url=f"sqlite:///{database}").make_directories()
    assert _mode(database) == 0o600


def test_new_files_are_closed(tmp_path: Path) -> None:
    Settings(home=tmp_path / "home").make_directories()
    (tmp_path / "file").write_text("")
    assert _mode(tmp_path / "file") == 0o600


class TestSocketsInTheTemporaryDirectory:
    @pytest.fixture
    def settings(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        return Settings(home=tmp_path / LONG / "home")

    def test_directory_is_private(self, settings: Settings) -> None:
        settings.make_directories()
        assert not settings.sockets.is_relative_to(settings.home)
        assert _mode(settings.sockets) == 0o700

    def test_directory_that_was_open_is_closed(self, settings: Settings) -> None:
        settings.sockets.mkdir(mode=0o777)
        settings.sockets.chmod(0o777)
        settings.make_directories()
        assert _mode(settings.sockets) == 0o700

    def test_link_is_refused(self, settings: Settings, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").mkdir()
        settings.sockets.symlink_to(tmp_path / "elsewhere")
        with pytest.raises(PermissionError, match="not a directory of this user"):
            settings.make_directories()

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory to another user")
    def test_directory_of_another_user_is_refused(self, settings: Settings) -> None:
        settings.sockets.mkdir()
        os.chown(settings.sockets, 65_534, 65_534)
        with pytest.raises(PermissionError, match="use a shorter TRAINSHED_HOME"):
            settings.make_directories()
