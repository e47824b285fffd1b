from pathlib import Path

import pytest

from box.parts import parts
from shared.settings import Settings


def test_a_broker_of_our_own_starts_first_unless_one_is_set(tmp_path: Path) -> None:
    own = Settings(home=tmp_path)
    own.make_directories()
    assert parts(own)[0].name == "broker"
    other = Settings(home=tmp_path, broker_url="redis://127.0.0.1:6379/0")
    assert "broker" not in [part.name for part in parts(other)]


def test_the_broker_listens_on_no_port(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    settings.make_directories()
    command = parts(settings)[0].command
    assert command[command.index("--port") + 1] == "0"
    assert command[command.index("--unixsocketperm") + 1] == "700"


def test_only_the_api_is_told_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINSHED_ADMIN_KEY", "a key of more than twenty characters")
    settings = Settings(home=tmp_path)
    settings.make_directories()
    told = [p.name for p in parts(settings) if "TRAINSHED_ADMIN_KEY" in p.environment(settings)]
    assert told == ["api"]
