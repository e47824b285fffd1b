from pathlib import Path

import pytest

from trainshed import address

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


def test_the_key_is_given_or_set_or_the_box_s(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError, match="set TRAINSHED_ADMIN_KEY"):
        address.key()
    (home / "key").write_text("written\n")
    assert address.key() == "written"
    monkeypatch.setenv("TRAINSHED_ADMIN_KEY", "set")
    assert address.key() == "set"
    assert address.key("given") == "given"
