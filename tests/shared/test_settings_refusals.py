"""A setting that is refused is named in a sentence, by whichever process reads it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from shared.settings import Settings, read_settings

ROOT = Path(__file__).parents[2]
SECRET = "hunter2"
ADMITTED = "it takes at least 20 printable ones without space around them"
#: What `python -m` is given, of each process that a person or a compose file starts.
MAINS = ["api", "box up", "shared.migrations", "worker", "worker.sidecar", "worker.tracking"]


@pytest.mark.parametrize("main", MAINS)
def test_each_process_says_it_in_a_line_and_ends_with_2(tmp_path: Path, main: str) -> None:
    home = {"TRAINSHED_HOME": str(tmp_path / "home")}
    wrong = {"TRAINSHED_ADMIN_KEY": SECRET, "TRAINSHED_PORT": "70000"}
    ended = subprocess.run(
        [sys.executable, "-m", *main.split()],
        cwd=ROOT,
        env=os.environ | home | wrong,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2, ended.stderr
    assert SECRET not in ended.stderr + ended.stdout
    assert sorted(ended.stderr.splitlines()) == [
        f"TRAINSHED_ADMIN_KEY has 7 characters; {ADMITTED}",
        "TRAINSHED_PORT is '70000'; it should be less than or equal to 65535",
    ]
    assert not (tmp_path / "home").exists(), "nothing has begun"


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("LEASE_SECONDS", "soon", "is 'soon'; it should be a valid number"),
        ("CPU_SLOTS", "0", "is '0'; it should be greater than or equal to 1"),
        ("LOG_LEVEL", "loud", "is 'loud'; it should be 'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
        ("HOME", "~nobody-of-this-name/x", "is '~nobody-of-this-name/x'; it takes a directory"),
        ("STORAGE_URL", "s3://bucket", "is 's3://bucket'; it takes file:///a/directory"),
        ("STORAGE_URL", "file://here", "is 'file://here'; it takes file:///a/directory"),
        ("DATABASE_URL", "mysql://u:pw@host/db", "begins with 'mysql://'; it takes sqlite:///path"),
        ("DATABASE_URL", "u:pw@host/db", "has no :// in it; it takes sqlite:///path or postgresql"),
        ("BROKER_URL", "amqp://u:pw@host", "begins with 'amqp://'; it takes redis://host:6379/0"),
        ("MLFLOW_URL", "./mlruns", "has no :// in it; it takes sqlite:///path or http://host:5000"),
        (
            "SIDECAR_URL",
            "http://sidecar",
            "is 'http://sidecar'; it takes unix:///path or tcp://host:port",
        ),
        (
            "SIDECAR_URL",
            "tcp://sidecar",
            "is 'tcp://sidecar'; it takes unix:///path or tcp://host:port",
        ),
        ("SIDECAR_URL", "tcp://sidecar:99999", "it takes unix:///path or tcp://host:port"),
        ("ADMIN_KEY", "a key \n of more than twenty characters", "at least 20 printable ones"),
    ],
)
def test_what_is_wrong_and_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    value: str,
    says: str,
) -> None:
    monkeypatch.setenv(f"TRAINSHED_{name}", value)
    with pytest.raises(SystemExit) as refused:
        read_settings()
    assert refused.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"TRAINSHED_{name} ")
    assert says in line
    assert "pw" not in line, "what may be a password is not shown"


@pytest.mark.parametrize("url", ["", "unix:///run/sidecar.sock", "tcp://sidecar:8101"])
def test_an_address_of_the_desk_is_admitted(url: str) -> None:
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
def test_an_address_of_a_server_is_admitted(name: str, url: str) -> None:
    assert getattr(Settings(**{name: url}), name) == url  # pyright: ignore[reportArgumentType]


def test_an_empty_variable_is_one_that_is_not_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty home would be the current directory, and an empty host every network."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in Settings.model_fields:
        monkeypatch.setenv(f"TRAINSHED_{name.upper()}", "")
    settings = Settings()
    assert (settings.home, settings.host, settings.port) == (
        tmp_path / ".trainshed", "127.0.0.1", 8000,
    )  # fmt: skip
    assert settings.admin_key is None


def test_a_traceback_does_not_show_what_was_given() -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(admin_key=SECRET)  # pyright: ignore[reportArgumentType]
    assert SECRET not in str(refused.value)
