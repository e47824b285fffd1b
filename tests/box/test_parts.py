from pathlib import Path

import pytest

from box.parts import BROKER, DATABASE, KEY, MLFLOW, SECRETS, list_parts
from shared.settings import Settings


def test_embedded_broker_starts_first_unless_another_broker_is_set(tmp_path: Path) -> None:
    embedded = Settings(home=tmp_path)
    embedded.make_directories()
    assert list_parts(embedded)[0].name == "broker"
    external = Settings(home=tmp_path, broker_url="redis://127.0.0.1:6379/0")
    assert "broker" not in [part.name for part in list_parts(external)]


def test_embedded_broker_listens_on_no_port(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    settings.make_directories()
    command = list_parts(settings)[0].command
    assert command[command.index("--port") + 1] == "0"
    assert command[command.index("--unixsocketperm") + 1] == "700"


def test_each_part_receives_only_the_secrets_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(home=tmp_path)
    settings.make_directories()
    for name in SECRETS:
        monkeypatch.setenv(name, "a secret of more than twenty characters")
    secrets = {
        part.name: SECRETS & set(part.environment(settings)) for part in list_parts(settings)
    }
    assert secrets == {
        "broker": set(),
        "sidecar": set(),
        "tracking": {DATABASE, MLFLOW},
        "worker": {DATABASE, BROKER},
        "api": {DATABASE, BROKER, KEY},
    }
