"""A box that cannot start exits with 2 and states why and what to do."""

import signal
import socket
import sys
from pathlib import Path

import pytest

from box import supervisor
from box.__main__ import main
from box.parts import Part
from box.preconditions import free_port
from shared.settings import Settings


def test_setting_out_of_bounds_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRAINSHED_HOME", str(tmp_path))
    monkeypatch.setenv("TRAINSHED_PORT", "70000")
    with pytest.raises(SystemExit) as refused:
        main(["up"])
    assert refused.value.code == 2
    assert "TRAINSHED_PORT is '70000'" in capsys.readouterr().err


def test_port_in_use_is_refused_with_the_setting_to_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("TRAINSHED_HOME", str(tmp_path))
        monkeypatch.setenv("TRAINSHED_PORT", str(server.getsockname()[1]))
        assert main(["up"]) == 2
    assert "Set TRAINSHED_PORT to a free port." in capsys.readouterr().err


def test_unreachable_database_is_refused_with_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRAINSHED_HOME", str(tmp_path))
    monkeypatch.setenv("TRAINSHED_PORT", str(free_port("127.0.0.1")))
    monkeypatch.setenv("TRAINSHED_BROKER_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("TRAINSHED_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    assert main(["up"]) == 2
    assert "migrations.log" in capsys.readouterr().err


def test_home_that_cannot_be_created_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TRAINSHED_HOME", str(tmp_path / "file" / "home"))
    assert main(["up"]) == 2
    assert str(tmp_path / "file") in capsys.readouterr().err


def test_address_of_another_machine_is_refused_with_the_setting_to_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRAINSHED_HOME", str(tmp_path))
    monkeypatch.setenv("TRAINSHED_HOST", "192.0.2.1")  # reserved for documentation
    assert main(["up"]) == 2
    assert "Set TRAINSHED_HOST to an address of this machine." in capsys.readouterr().err


def _overdue(home: Path, monkeypatch: pytest.MonkeyPatch, parts: list[Part]) -> list[str]:
    """Return what a box prints that is stopped once it reports that it is still starting."""
    lines: list[str] = []

    def print_line(text: str) -> None:
        lines.append(text)
        if text.startswith("the end of" if parts else "still starting"):
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(supervisor, "print_line", print_line)
    # Long enough for a part to fail, where there is one.
    monkeypatch.setattr(supervisor, "START_TIMEOUT_SECONDS", 5.0 if parts else 0.0)
    supervisor.Supervisor(
        Settings(home=home, port=free_port("127.0.0.1")),
        parts=lambda _: parts,
        migration=Part("migrations", ("true",), 1),
    ).run()
    return lines


def test_box_that_does_not_become_ready_reports_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = _overdue(tmp_path, monkeypatch, [])
    (line,) = (line for line in lines if line.startswith("still starting"))
    assert "The API does not answer." in line
    assert str(tmp_path / "logs") in line


def test_box_that_does_not_become_ready_names_the_part_that_failed_and_what_it_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = "print('reading'); raise SystemExit('the file has no devices')"
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "worker.log").write_text("of an earlier box\n")
    worker = Part("worker", (sys.executable, "-c", program), 1)
    api = Part("api", (sys.executable, "-c", "import time; time.sleep(600)"), 1)
    lines = _overdue(tmp_path, monkeypatch, [worker, api])
    (at,) = (n for n, line in enumerate(lines) if line.startswith("still starting"))
    assert "worker has failed" in lines[at]
    assert "API" not in lines[at]
    assert lines[at + 1] == "the end of logs/worker.log:"
    assert "  of an earlier box" not in lines
    assert lines[at + 2 :].count("  the file has no devices") >= 1
