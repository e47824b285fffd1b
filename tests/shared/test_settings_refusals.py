"""Every process reports invalid settings in one sentence each."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from shared.settings import Settings, read_settings

ROOT = Path(__file__).parents[2]
SECRET = "hunter2"
RULE = "it must have at least 20 printable characters and no space at either end"
#: The arguments of `python -m` for each process that a person or the compose file starts.
MAINS = ["api", "box up", "shared.migrations", "worker", "worker.sidecar", "worker.tracking"]


@pytest.mark.parametrize("main", MAINS)
def test_process_prints_a_line_for_each_setting_and_exits_with_2(tmp_path: Path, main: str) -> None:
    home = {"TRAINSHED_HOME": str(tmp_path / "home")}
    invalid = {"TRAINSHED_ADMIN_KEY": SECRET, "TRAINSHED_PORT": "70000"}
    ended = subprocess.run(
        [sys.executable, "-m", *main.split()],
        cwd=ROOT,
        env=os.environ | home | invalid,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2, ended.stderr
    assert SECRET not in ended.stderr + ended.stdout
    assert sorted(ended.stderr.splitlines()) == [
        f"TRAINSHED_ADMIN_KEY has 7 characters; {RULE}",
        "TRAINSHED_PORT is '70000'; it must be less than or equal to 65535",
    ]
    assert not (tmp_path / "home").exists(), "nothing was started"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("LEASE_SECONDS", "soon", "is 'soon'; it must be a valid number"),
        ("CPU_SLOTS", "0", "is '0'; it must be greater than or equal to 1"),
        ("LOG_LEVEL", "loud", "is 'loud'; it must be 'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
        ("HOME", "~nobody-of-this-name/x", "is '~nobody-of-this-name/x'; it must be a directory"),
        ("STORAGE_URL", "s3://bucket", "is 's3://bucket'; it must be file:///a/directory"),
        ("STORAGE_URL", "file://here", "is 'file://here'; it must be file:///a/directory"),
        (
            "DATABASE_URL",
            "mysql://u:pw@host/db",
            "begins with 'mysql://'; it must be sqlite:///path",
        ),
        ("DATABASE_URL", "u:pw@host/db", "has no ://; it must be sqlite:///path or postgresql"),
        ("BROKER_URL", "amqp://u:pw@host", "begins with 'amqp://'; it must be redis://host:6379/0"),
        ("MLFLOW_URL", "./mlruns", "has no ://; it must be sqlite:///path or http://host:5000"),
        (
            "SIDECAR_URL",
            "http://sidecar",
            "is 'http://sidecar'; it must be unix:///path or tcp://host:port",
        ),
        (
            "SIDECAR_URL",
            "tcp://sidecar",
            "is 'tcp://sidecar'; it must be unix:///path or tcp://host:port",
        ),
        ("SIDECAR_URL", "tcp://sidecar:99999", "it must be unix:///path or tcp://host:port"),
        (
            "ADMIN_KEY",
            "a key \n of more than twenty characters",
            "at least 20 printable characters",
        ),
    ],
)
def test_message_has_the_value_and_the_rule(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    value: str,
    message: str,
) -> None:
    monkeypatch.setenv(f"TRAINSHED_{name}", value)
    with pytest.raises(SystemExit) as refused:
        read_settings()
    assert refused.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"TRAINSHED_{name} ")
    assert message in line
    assert "pw" not in line, "a possible password must not be shown"


@pytest.mark.parametrize("url", ["", "unix:///run/sidecar.sock", "tcp://sidecar:8101"])
def test_address_of_the_sidecar_is_accepted(url: str) -> None:
    assert Settings(sidecar_url=url)


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("database_url", "sqlite:////tmp/box.db"),
        ("database_url", "postgresql+psycopg://user@host/name"),
        ("database_url", "postgres://user@host/name"),
        ("broker_url", "rediss://host:6380/1"),
        ("broker_url", "redis+socket:///run/broker.sock"),
        ("mlflow_url", "https://mlflow.example"),
    ],
)
def test_address_of_a_server_is_accepted(name: str, url: str) -> None:
    assert getattr(Settings(**{name: url}), name) == url  # pyright: ignore[reportArgumentType]


def test_empty_variable_counts_as_not_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty home would be the current directory, and an empty host all networks."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in Settings.model_fields:
        monkeypatch.setenv(f"TRAINSHED_{name.upper()}", "")
    settings = Settings()
    assert (settings.home, settings.host, settings.port) == (
        tmp_path / ".trainshed", "127.0.0.1", 8000,
    )  # fmt: skip
    assert settings.admin_key is None


def test_traceback_does_not_show_the_value() -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(admin_key=SECRET)  # pyright: ignore[reportArgumentType]
    assert SECRET not in str(refused.value)
