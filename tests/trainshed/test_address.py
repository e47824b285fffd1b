from pathlib import Path

import pytest

from trainshed import Client
from trainshed.address import service_key, service_url
from trainshed.errors import WrongUsage

SETTINGS = (
    "TRAINSHED_URL", "TRAINSHED_HOST", "TRAINSHED_PORT", "TRAINSHED_HOME", "TRAINSHED_ADMIN_KEY",
)  # fmt: skip


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TRAINSHED_HOME", str(tmp_path))
    return tmp_path


def test_url_comes_from_the_argument_then_the_environment_then_the_local_box(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert service_url() == "http://127.0.0.1:8000"
    (home / "run").mkdir()
    (home / "run" / "address").write_text("http://127.0.0.1:8123\n")
    assert service_url() == "http://127.0.0.1:8123"
    monkeypatch.setenv("TRAINSHED_PORT", "9000")
    assert service_url() == "http://127.0.0.1:9000"
    monkeypatch.setenv("TRAINSHED_URL", "https://box.example/")
    assert service_url() == "https://box.example"
    assert service_url("http://other:1") == "http://other:1"


@pytest.mark.parametrize(
    ("host", "connected"),
    [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("::1", "[::1]"), ("box", "box")],  # noqa: S104
)
def test_listening_address_becomes_an_address_to_connect_to(
    host: str, connected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAINSHED_HOST", host)
    assert service_url() == f"http://{connected}:8000"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("nonsense", "begin with http"),
        ("ftp://box", "begin with http"),
        ("http://", "no host"),
        ("https:///v1", "no host"),
        ("http://[::1", "port"),
        ("http://host:abc", "port"),
        ("http://host:65536", "port"),
        ("http://a..b", "label"),
        (f"http://{'a' * 64}.example", "label"),
        ("http://\ud800", "host"),
    ],
)
def test_invalid_url_is_refused_with_the_reason_and_the_form(url: str, reason: str) -> None:
    with pytest.raises(WrongUsage, match=rf"not an address.*{reason}.*http://HOST:PORT"):
        Client(url, "k" * 20)


def test_invalid_proxy_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for proxy in ("host:abc", "ftp://host", "http://[::1"):
        monkeypatch.setenv("HTTP_PROXY", proxy)
        with pytest.raises(WrongUsage, match="proxy"):
            Client("http://box.example", "k" * 20)


def test_invalid_key_is_refused_without_showing_it(home: Path) -> None:
    (home / "key").write_text("secret\nsecret")
    with pytest.raises(WrongUsage, match="not printable") as caught:
        service_key()
    assert "secret" not in str(caught.value)
    (home / "key").write_bytes(b"\xff")
    with pytest.raises(FileNotFoundError, match="cannot be read"):
        service_key()


def test_home_of_an_unknown_user_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINSHED_HOME", "~nobody-of-this-name")
    with pytest.raises(WrongUsage, match="Set TRAINSHED_HOME"):
        service_url()


def test_key_comes_from_the_argument_then_the_environment_then_the_local_box(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(FileNotFoundError, match="Set TRAINSHED_ADMIN_KEY"):
        service_key()
    (home / "key").write_text("written\n")
    assert service_key() == "written"
    monkeypatch.setenv("TRAINSHED_ADMIN_KEY", "set")
    assert service_key() == "set"
    assert service_key("argument") == "argument"
