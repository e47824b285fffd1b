import signal
import socket
from pathlib import Path

import pytest

from box import supervisor
from box.__main__ import main
from box.parts import Part
from box.preconditions import free_port
from shared.settings import Settings


def test_a_setting_out_of_its_bounds_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRAINSHED_HOME", str(tmp_path))
    monkeypatch.setenv("TRAINSHED_PORT", "70000")
    with pytest.raises(SystemExit) as refused:
        main(["up"])
    assert refused.value.code == 2
    assert "TRAINSHED_PORT is '70000'" in capsys.readouterr().err


def test_a_port_in_use_is_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("TRAINSHED_HOME", str(tmp_path))
        monkeypatch.setenv("TRAINSHED_PORT", str(taken.getsockname()[1]))
        assert main(["up"]) == 2
    assert "set TRAINSHED_PORT to a free one" in capsys.readouterr().err


def test_a_database_that_does_not_answer_is_refused_with_where_to_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("TRAINSHED_HOME", str(tmp_path))
    monkeypatch.setenv("TRAINSHED_PORT", str(port))
    monkeypatch.setenv("TRAINSHED_BROKER_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("TRAINSHED_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    assert main(["up"]) == 2
    assert "migrations.log" in capsys.readouterr().err


def test_a_home_that_cannot_be_made_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TRAINSHED_HOME", str(tmp_path / "file" / "home"))
    assert main(["up"]) == 2
    assert str(tmp_path / "file") in capsys.readouterr().err


def test_an_address_of_another_machine_is_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRAINSHED_HOME", str(tmp_path))
    monkeypatch.setenv("TRAINSHED_HOST", "192.0.2.1")  # for documents: no machine has it
    assert main(["up"]) == 2
    assert "set TRAINSHED_HOST to an address of this machine" in capsys.readouterr().err


def test_a_box_that_does_not_get_ready_says_what_it_waits_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        if text.startswith("still starting"):
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(supervisor, "say", say)
    monkeypatch.setattr(supervisor, "LONGEST_START_SECONDS", 0.0)
    supervisor.Supervisor(
        Settings(home=tmp_path, port=free_port("127.0.0.1")),
        list_parts=lambda _: [],
        migration=Part("migrations", ("true",), 1),
    ).run()
    (line,) = (one for one in said if one.startswith("still starting"))
    assert "The API does not answer." in line
    assert str(tmp_path / "logs") in line
