"""Names in TRAINSHED_ALLOWED_HOSTS mean what they mean in a Host header."""

import asyncio
from pathlib import Path

import httpx
import pytest

from api.app import create_app
from shared.settings import Settings
from tests.api.service import KEY


def _status(home: Path, allowed_hosts: str, host: str) -> int:
    """How a request for this host is answered."""
    settings = Settings(home=home, allowed_hosts=allowed_hosts, admin_key=KEY)  # pyright: ignore[reportArgumentType]
    app = create_app(settings)

    async def ask() -> int:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return (await client.get("/healthz", headers={"Host": host})).status_code

    try:
        return asyncio.run(ask())
    finally:
        app.state.services.database.close()


@pytest.mark.parametrize("entry", ["GPU-Box.lab", "gpu-box.lab.", "gpu-box.lab:8000"])
@pytest.mark.parametrize("host", ["gpu-box.lab", "GPU-BOX.lab:8000", "gpu-box.lab.:80"])
def test_a_name_in_any_spelling(tmp_path: Path, entry: str, host: str) -> None:
    assert _status(tmp_path, f"other, {entry} ,", host) == 200
    assert _status(tmp_path, "other", host) == 400


@pytest.mark.parametrize("entry", ["fd00::1", "[FD00::1]", "[fd00::1]:8000"])
def test_an_address_of_ipv6(tmp_path: Path, entry: str) -> None:
    assert _status(tmp_path, entry, "[fd00::1]:8000") == 200
    assert _status(tmp_path, entry, "[fd00::2]:8000") == 400


@pytest.mark.parametrize("entry", ["", " , ,", ":8000"])
@pytest.mark.parametrize("host", ["", ":8000", "evil.example"])
def test_nothing_is_no_name(tmp_path: Path, entry: str, host: str) -> None:
    assert _status(tmp_path, entry, host) == 400
