"""Defaults, paths and secrets of the settings."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from shared.settings import MAX_SOCKET_PATH_BYTES, Settings


def test_defaults_are_the_embedded_box(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    assert settings.host == "127.0.0.1"
    assert settings.database == f"sqlite:///{tmp_path}/trainshed.db"
    assert settings.broker.startswith("redis+socket://")
    assert settings.storage == tmp_path / "jobs"


def test_sockets_of_a_long_home_have_a_short_path(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / ("x" * 120))
    assert len(str(settings.sockets / "broker.sock")) <= MAX_SOCKET_PATH_BYTES


def test_short_admin_key_is_refused_and_not_shown() -> None:
    with pytest.raises(ValidationError, match="at least 20") as caught:
        Settings(admin_key="hunter2")  # pyright: ignore[reportArgumentType]
    assert "hunter2" not in str(caught.value.errors()[0]["msg"])


def test_admin_key_is_not_printed() -> None:
    key = "correct horse battery staple"
    assert key not in repr(Settings(admin_key=key))  # pyright: ignore[reportArgumentType]


def test_directories_are_closed_to_other_users(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    settings.make_directories()
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "home").iterdir())


def test_every_setting_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "settings.md").read_text()
    missing = [name for name in Settings.model_fields if f"`TRAINSHED_{name.upper()}`" not in text]
    assert missing == []
