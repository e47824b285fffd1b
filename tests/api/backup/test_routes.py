"""The download of a backup, from the route to the client's file."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from api.backup.restoring import restore
from api.backup.writing import _only_one
from shared.settings import Settings
from tests.api.service import KEY, Service
from trainshed import Client
from trainshed.errors import ApiError, Unreachable


@pytest.fixture
def client(service: Service) -> Iterator[Client]:
    with Client(str(service.client.base_url), KEY) as client:
        yield client


def test_downloaded_backup_can_be_restored(
    service: Service, client: Client, tmp_path: Path
) -> None:
    service.submit(name="kept")
    file = client.backup(tmp_path / "box.tar")
    restored = Settings(home=tmp_path / "restored")
    manifest = restore(restored, file)
    assert manifest["tables"]["jobs"]["rows"] == 1
    assert (restored.home / "trainshed.db").exists()
    assert [each.name for each in tmp_path.glob("*.tar*")] == ["box.tar"]


def test_second_backup_at_once_is_refused(service: Service, client: Client, tmp_path: Path) -> None:
    with _only_one(service.settings), pytest.raises(ApiError) as raised:
        client.backup(tmp_path / "box.tar")
    assert raised.value.status == 409
    assert "Another backup" in str(raised.value)
    assert list(tmp_path.glob("*.tar*")) == []


def test_backup_without_its_end_is_no_file(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = client.http.get("/v1/backup").content.rstrip(b"\0")
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=whole[:-1500]))
    with (
        httpx.Client(transport=transport, base_url="http://box") as http,
        monkeypatch.context() as patched,
    ):
        patched.setattr(client, "http", http)
        with pytest.raises(Unreachable, match="broke off"):
            client.backup(tmp_path / "box.tar")
    assert list(tmp_path.glob("*.tar*")) == []
