"""The guard: host names, limits of address, headers and body, and security headers."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from api.app import create_app
from shared.settings import Settings
from tests.api.raw import send_raw
from tests.api.service import KEY, SPEC, Service


class TestAllowedHosts:
    def _status(self, home: Path, allowed_hosts: str, host: str) -> int:
        """Return the status of a request for this host."""
        settings = Settings(home=home, allowed_hosts=allowed_hosts, admin_key=KEY)  # pyright: ignore[reportArgumentType]
        app = create_app(settings)

        async def get_health() -> int:
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://localhost"
            ) as client:
                return (await client.get("/healthz", headers={"Host": host})).status_code

        try:
            return asyncio.run(get_health())
        finally:
            app.state.services.database.close()

    @pytest.mark.parametrize("entry", ["GPU-Box.lab", "gpu-box.lab.", "gpu-box.lab:8000"])
    @pytest.mark.parametrize("host", ["gpu-box.lab", "GPU-BOX.lab:8000", "gpu-box.lab.:80"])
    def test_name_is_allowed_in_any_spelling(self, tmp_path: Path, entry: str, host: str) -> None:
        assert self._status(tmp_path, f"other, {entry} ,", host) == 200
        assert self._status(tmp_path, "other", host) == 400

    @pytest.mark.parametrize("entry", ["fd00::1", "[FD00::1]", "[fd00::1]:8000"])
    def test_ipv6_address_is_allowed(self, tmp_path: Path, entry: str) -> None:
        assert self._status(tmp_path, entry, "[fd00::1]:8000") == 200
        assert self._status(tmp_path, entry, "[fd00::2]:8000") == 400

    @pytest.mark.parametrize("entry", ["", " , ,", ":8000"])
    @pytest.mark.parametrize("host", ["", ":8000", "evil.example"])
    def test_empty_entry_allows_no_host(self, tmp_path: Path, entry: str, host: str) -> None:
        assert self._status(tmp_path, entry, host) == 400

    @pytest.mark.parametrize(
        "host", ["evil.example", "", "127.0.0.1.evil.example", "localhost@evil"]
    )
    def test_request_for_another_host_is_refused(self, service: Service, host: str) -> None:
        request = (
            f"GET /v1/jobs HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {KEY}\r\n"
            "Connection: close\r\n\r\n"
        )
        assert b" 400 " in send_raw(service, request.encode()).splitlines()[0]

    @pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "127.0.0.1:8000", "[::1]:8000"])
    def test_loopback_names_are_allowed(self, service: Service, host: str) -> None:
        request = f"GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        assert b" 200 " in send_raw(service, request.encode()).splitlines()[0]


class TestLimits:
    def test_long_address_and_many_headers_are_refused(self, service: Service) -> None:
        long = service.client.get("/v1/jobs?after=" + "x" * 10_000)
        assert long.status_code == 414
        assert long.json()["detail"] == "The address exceeds the limit of 8,192 bytes."
        many = "".join(f"X-{n}: {n}\r\n" for n in range(10_000))
        request = f"GET /healthz HTTP/1.1\r\nHost: localhost\r\n{many}Connection: close\r\n\r\n"
        assert b" 431 " in send_raw(service, request.encode())[:20]

    def test_body_over_the_limit_is_refused(self, service: Service) -> None:
        def chunks() -> Iterator[bytes]:
            for _ in range(40):
                yield b" " * 100_000

        declared = service.post("/v1/jobs", b'{"name": "' + b"x" * 10_000_000 + b'"}')
        streamed = service.client.post(
            "/v1/jobs", content=chunks(), headers={"Content-Type": "application/json"}
        )
        for response in (declared, streamed):
            assert response.status_code == 413
            assert response.headers["content-type"] == "application/problem+json"
            detail = response.json()["detail"]
            assert detail == "The body exceeds the limit of 1,000,000 bytes."
        assert service.rows()["jobs"] == 0

    def test_wrong_length_and_two_lengths_are_refused(self, service: Service) -> None:
        head = f"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\n"
        head += "Content-Type: application/json\r\nConnection: close\r\n"
        body = json.dumps(SPEC)
        short = send_raw(
            service, f"{head}Content-Length: 9999\r\n\r\n{body}".encode(), is_closed_early=True
        )
        both = send_raw(
            service,
            f"{head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
            f"0\r\n\r\n{body}".encode(),
        )
        negative = send_raw(service, f"{head}Content-Length: -1\r\n\r\n{body}".encode())
        for response in (short, both, negative):
            assert b" 202 " not in response[:20]
        assert service.rows()["jobs"] == 0


def test_every_response_has_security_headers(service: Service) -> None:
    responses = [
        service.client.get("/v1/jobs"),
        service.client.get("/v1/nothing"),
        service.client.get("/docs"),
        service.post("/v1/jobs", SPEC),
        service.client.get("/v1/jobs", headers={"Host": "evil.example"}),
    ]
    for response in responses:
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["referrer-policy"] == "no-referrer"
        assert "default-src 'none'" in response.headers["content-security-policy"]
