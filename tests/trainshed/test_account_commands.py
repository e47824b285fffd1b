"""`trainshed login`, `users` and `keys`: what they send, print and store."""

import io
import json
import stat
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.http_service import http_service, request_body, send
from trainshed import Client
from trainshed.address import service_key, service_url
from trainshed.cli import main
from trainshed.errors import WrongUsage

KEY = "ts_0123456789_secret"
LIMITS = {"running": None, "queued": 5, "storage_mib": None}
USER: dict[str, Any] = {
    "object": "user",
    "name": "ada",
    "role": "member",
    "weight": 1.0,
    "limits": LIMITS,
    "usage": {"running": 1, "queued": 2, "storage_mib": 3.5},
    "created_at": "2026-11-27T12:00:00.000Z",
    "disabled_at": None,
}
MADE: dict[str, Any] = {
    "id": "key_0123456789",
    "object": "key",
    "user": "ada",
    "name": "laptop",
    "prefix": "ts_0123…",
    "scopes": ["submit"],
    "created_at": "2026-11-27T12:00:00.000Z",
    "expires_at": "2027-02-25T12:00:00.000Z",
    "last_used_at": None,
    "revoked_at": None,
}
Request = tuple[str, str, Any]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("TRAINSHED_URL", "TRAINSHED_HOST", "TRAINSHED_PORT", "TRAINSHED_ADMIN_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TRAINSHED_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def requests() -> list[Request]:
    return []


@pytest.fixture
def client(requests: list[Request]) -> Iterator[Client]:
    """Run a service that knows one key, a person and a key."""

    def respond(handler: BaseHTTPRequestHandler) -> None:
        body = request_body(handler)
        requests.append((handler.command, handler.path, json.loads(body) if body else None))
        if handler.headers["Authorization"] != f"Bearer {KEY}":
            problem = {"status": 401, "detail": "The key is unknown."}
            send(handler, 401, json.dumps(problem).encode())
            return
        path = handler.path.partition("?")[0]
        shown: Any = {**MADE, "key": KEY} if handler.command == "POST" else MADE
        if path.startswith(("/v1/users", "/v1/me")):
            shown = USER
        if handler.command == "GET" and path in ("/v1/users", "/v1/keys"):
            shown = {"object": "list", "data": [shown], "has_more": False}
        send(handler, 200, json.dumps(shown).encode())

    with http_service(respond) as opened:
        yield opened


def _type(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def _log_in(client: Client, monkeypatch: pytest.MonkeyPatch, key: str = KEY) -> int:
    _type(monkeypatch, f"{key}\n")
    return main(["login", client.url])


def test_login_stores_the_key_where_only_its_owner_can_read_it(
    client: Client, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _log_in(client, monkeypatch) == 0
    output = capsys.readouterr()
    assert output.out == f"ada (member) is logged in at {client.url}.\n"
    assert KEY not in output.out + output.err
    path = home / "logins.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in home.iterdir()] == ["logins.json"]
    assert (service_url(), service_key()) == (client.url, KEY)
    assert main(["users", "show"]) == 0


def test_a_key_is_sent_only_to_the_service_for_which_it_was_stored(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _log_in(client, monkeypatch) == 0
    with pytest.raises(FileNotFoundError, match="trainshed login"):
        service_key(url="http://127.0.0.1:1")
    monkeypatch.setenv("TRAINSHED_ADMIN_KEY", "k" * 20)
    assert service_key(url=client.url) == "k" * 20


def test_a_wrong_key_is_not_stored(
    client: Client, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _log_in(client, monkeypatch, "ts_wrong") == 5
    assert capsys.readouterr().err == "The key is unknown.\n"
    assert not (home / "logins.json").exists()
    assert _log_in(client, monkeypatch, "") == 2
    assert "no key" in capsys.readouterr().err


def test_logout_deletes_the_stored_key(
    client: Client, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _log_in(client, monkeypatch)
    assert main(["logout"]) == 0
    assert "Deleted the stored key" in capsys.readouterr().out
    assert main(["logout", client.url]) == 0
    assert "There is no stored key" in capsys.readouterr().out


@pytest.mark.parametrize(("mode", "text"), [(0o644, "{}"), (0o600, "{}"), (0o600, "not JSON")])
def test_a_file_that_others_can_read_or_that_is_damaged_is_refused(
    home: Path, mode: int, text: str
) -> None:
    home.mkdir()
    path = home / "logins.json"
    path.write_text(text)
    path.chmod(mode)
    with pytest.raises(WrongUsage, match="chmod 600" if mode != 0o600 else "damaged"):
        service_key()


@pytest.mark.parametrize(
    ("command", "request_", "shown"),
    [
        ("users", ("GET", "/v1/users?limit=100", None), "2 of 5"),
        ("users show", ("GET", "/v1/me", None), "no limit"),
        ("users show a/b", ("GET", "/v1/users/a%2Fb", None), "ada"),
        (
            "users add ada --limit queued=5 --limit requests_per_second=0.5",
            (
                "POST",
                "/v1/users",
                {"name": "ada", "role": "member"}
                | {"limits": {"queued": 5, "requests_per_second": 0.5}},
            ),
            "ada: member",
        ),
        (
            "users change ada --role viewer --limit queued=default",
            ("PATCH", "/v1/users/ada", {"role": "viewer", "limits": {"queued": None}}),
            "ada",
        ),
        ("users disable ada", ("DELETE", "/v1/users/ada", None), "ada"),
        ("users enable ada", ("PATCH", "/v1/users/ada", {"disabled_at": None}), "ada"),
        ("keys", ("GET", "/v1/keys?limit=100", None), "laptop"),
        ("keys list --user ada", ("GET", "/v1/keys?user=ada&limit=100", None), "never"),
        (
            "keys make laptop --days 7 --user ada",
            (
                "POST",
                "/v1/keys",
                {"name": "laptop", "scopes": ["submit"], "expires_in_days": 7, "user": "ada"},
            ),
            KEY,
        ),
        (
            "keys rotate key_0123456789 --grace-seconds 60",
            ("POST", "/v1/keys/key_0123456789/rotate", {"grace_seconds": 60}),
            KEY,
        ),
        ("keys revoke key_0123456789", ("DELETE", "/v1/keys/key_0123456789", None), "laptop"),
    ],
)
def test_commands_send_what_they_say(
    command: str,
    request_: Request,
    shown: str,
    client: Client,
    requests: list[Request],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TRAINSHED_URL", client.url)
    monkeypatch.setenv("TRAINSHED_ADMIN_KEY", KEY)
    assert main(command.split()) == 0
    assert requests == [request_]
    assert shown in capsys.readouterr().out


def test_a_new_key_is_alone_on_standard_output(
    client: Client, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRAINSHED_ADMIN_KEY", KEY)
    assert main(["--url", client.url, "keys", "make", "laptop"]) == 0
    output = capsys.readouterr()
    assert output.out == f"{KEY}\n"
    assert "shown this once" in output.err


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("users change ada", "--role, --weight or --limit"),
        ("users add ada --limit queued", "NAME=NUMBER"),
        ("users add ada --limit queued=many", "NAME=NUMBER"),
    ],
)
def test_wrong_usage_is_refused_before_a_request(
    command: str,
    error: str,
    client: Client,
    requests: list[Request],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TRAINSHED_URL", client.url)
    monkeypatch.setenv("TRAINSHED_ADMIN_KEY", KEY)
    assert main(command.split()) == 2
    assert error in capsys.readouterr().err
    assert requests == []
