import re
from pathlib import Path

import pytest

from box.key import ensure_key, make_key
from box.preconditions import CannotStart
from shared.settings import Settings


def test_keys_have_the_prefix_and_differ() -> None:
    keys = {make_key() for _ in range(100)}
    assert len(keys) == 100
    assert all(re.fullmatch(r"ts_box_[0-9A-Za-z]{8}_[0-9A-Za-z]{49}", key) for key in keys)


def test_first_start_makes_a_key_and_the_second_keeps_it(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    assert ensure_key(settings)
    key = settings.key_file.read_text()
    assert settings.key_file.stat().st_mode & 0o777 == 0o600
    assert not ensure_key(settings)
    assert settings.key_file.read_text() == key


def test_key_from_the_settings_is_not_written(tmp_path: Path) -> None:
    key = "a key of more than twenty characters"
    settings = Settings(home=tmp_path, admin_key=key)  # pyright: ignore[reportArgumentType]
    assert not ensure_key(settings)
    assert not settings.key_file.exists()


def test_file_without_a_key_is_refused_and_not_replaced(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    settings.key_file.write_text("\n")
    with pytest.raises(CannotStart, match="holds no key"):
        ensure_key(settings)
    assert settings.key_file.read_text() == "\n"


def test_readable_key_file_is_closed_to_other_users(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    ensure_key(settings)
    settings.key_file.chmod(0o644)
    ensure_key(settings)
    assert settings.key_file.stat().st_mode & 0o777 == 0o600
