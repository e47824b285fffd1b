from pathlib import Path

import pytest

from trainshed import Client, address
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


def test_what_is_given_comes_first_then_the_environment_then_the_box_here(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert address.url() == "http://127.0.0.1:8000"
    (home / "run").mkdir()
    (home / "run" / "address").write_text("http://127.0.0.1:8123\n")
    assert address.url() == "http://127.0.0.1:8123"
    monkeypatch.setenv("TRAINSHED_PORT", "9000")
    assert address.url() == "http://127.0.0.1:9000"
    monkeypatch.setenv("TRAINSHED_URL", "https://box.example/")
    assert address.url() == "https://box.example"
    assert address.url("http://other:1") == "http://other:1"


@pytest.mark.parametrize(
    ("host", "connected"),
    [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("::1", "[::1]"), ("box", "box")],  # noqa: S104
)
def test_an_address_to_listen_at_becomes_one_to_connect_to(
    host: str, connected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAINSHED_HOST", host)
    assert address.url() == f"http://{connected}:8000"


@pytest.mark.parametrize(
    ("given", "says"),
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
def test_what_is_no_address_is_refused_with_what_one_is(given: str, says: str) -> None:
    with pytest.raises(WrongUsage, match=rf"not an address.*{says}.*http://HOST:PORT"):
        Client(given, "k" * 20)


def test_a_proxy_that_is_none_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for proxy in ("host:abc", "ftp://host", "http://[::1"):
        monkeypatch.setenv("HTTP_PROXY", proxy)
        with pytest.raises(WrongUsage, match="proxy"):
            Client("http://box.example", "k" * 20)


def test_a_key_that_no_service_can_have_is_refused_without_showing_it(home: Path) -> None:
    (home / "key").write_text("secret\nsecret")
    with pytest.raises(WrongUsage, match="cannot be printed") as caught:
        address.key()
    assert "secret" not in str(caught.value)
    (home / "key").write_bytes(b"\xff")
    with pytest.raises(FileNotFoundError, match="cannot be read"):
        address.key()


def test_a_home_that_leads_nowhere_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINSHED_HOME", "~nobody-of-this-name")
    with pytest.raises(WrongUsage, match="set TRAINSHED_HOME"):
        address.url()


def test_the_key_is_given_or_set_or_the_box_s(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError, match="set TRAINSHED_ADMIN_KEY"):
        address.key()
    (home / "key").write_text("written\n")
    assert address.key() == "written"
    monkeypatch.setenv("TRAINSHED_ADMIN_KEY", "set")
    assert address.key() == "set"
    assert address.key("given") == "given"
