from pathlib import Path

import pytest

from box.parts import BROKER, DATABASE, KEY, MLFLOW, SECRETS, parts
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


def test_a_part_is_told_the_secrets_that_it_needs_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(home=tmp_path)
    settings.make_directories()
    for name in SECRETS:
        monkeypatch.setenv(name, "a secret of more than twenty characters")
    told = {one.name: SECRETS & set(one.environment(settings)) for one in parts(settings)}
    assert told == {
        "broker": set(),
        "sidecar": set(),
        "tracking": {DATABASE, MLFLOW},
        "worker": {DATABASE, BROKER},
        "api": {DATABASE, BROKER, KEY},
    }
