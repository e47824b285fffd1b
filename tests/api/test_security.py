"""Who is let in, for which host, and what every answer carries."""

import gzip
import socket

import httpx
import pytest
from fastapi.routing import APIRoute

from tests.api.service import KEY, SPEC, TIMEOUT_SECONDS, Service

PUBLIC = {"/healthz", "/readyz", "/docs", "/openapi.json"}


def _routes(service: Service) -> list[tuple[str, str]]:
    """Every method and address that the document names, with an id put in."""
    found = []
    for path, methods in service.app.openapi()["paths"].items():
        address = path
        for name in ("job_id", "checkpoint", "artifact", "name", "weights_id"):
            address = address.replace(f"{{{name}}}", "job_" + "0" * 26)
        found += [(method.upper(), address) for method in methods]
    return found


def _raw(service: Service, request: bytes, *, hangs_up: bool = False) -> bytes:
    """What comes back for these bytes."""
    host, port = service.client.base_url.host, service.client.base_url.port
    with socket.create_connection((host, port or 80), TIMEOUT_SECONDS) as connection:
        connection.sendall(request)
        if hangs_up:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        while part := connection.recv(65_536):
            answer += part
    return answer


def test_every_route_but_the_public_ones_asks_for_a_key(service: Service) -> None:
    routes = _routes(service)
    assert len(routes) > 20
    with httpx.Client(base_url=service.client.base_url) as nobody:
        for method, path in [*routes, ("GET", "/docs"), ("GET", "/openapi.json")]:
            answer = nobody.request(method, path)
            if path in PUBLIC:
                assert answer.status_code in {200, 503}, path
            else:
                assert answer.status_code == 401, (method, path)
                assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        f"Basic {KEY}",
        KEY,
        f"Bearer {KEY}x",
        f"Bearer {KEY[:-1]}",
        f"Bearer  {KEY}",
        "Bearer " + "k" * 50_000,
        "Bearer \xfc" + "k" * 30,
    ],
)
def test_a_key_that_is_none_is_refused(service: Service, header: str) -> None:
    with httpx.Client(base_url=service.client.base_url) as nobody:
        given = {"Authorization": header.encode("latin-1")}
        answer = nobody.get("/v1/jobs", headers=given)
    assert answer.status_code in {401, 431}


def test_the_scheme_is_of_any_case(service: Service) -> None:
    answer = service.client.get("/v1/jobs", headers={"Authorization": f"bearer {KEY}"})
    assert answer.status_code == 200


def test_a_key_in_the_address_is_none(service: Service) -> None:
    with httpx.Client(base_url=service.client.base_url) as nobody:
        assert nobody.get("/v1/jobs", params={"key": KEY, "access_token": KEY}).status_code == 401


def test_two_keys_are_refused(service: Service) -> None:
    request = (
        f"GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\n"
        "Authorization: Bearer another\r\nConnection: close\r\n\r\n"
    )
    assert b" 400 " in _raw(service, request.encode()).splitlines()[0]


@pytest.mark.parametrize(
    "path",
    ["//v1/jobs", "/v1//jobs", "/v1/./jobs", "/healthz/../v1/jobs", "/V1/jobs", "/%76%31/jobs/",
     "/v1/jobs/.", "/healthz%2f..%2fv1%2fjobs", "/v1/jobs;x", "/docs/../v1/jobs"],
)  # fmt: skip
def test_no_spelling_of_an_address_goes_around_the_key(service: Service, path: str) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    status = _raw(service, request.encode()).splitlines()[0]
    assert not status.split()[1].startswith(b"2"), (path, status)


@pytest.mark.parametrize("host", ["evil.example", "", "127.0.0.1.evil.example", "localhost@evil"])
def test_another_host_is_refused(service: Service, host: str) -> None:
    request = (
        f"GET /v1/jobs HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {KEY}\r\n"
        "Connection: close\r\n\r\n"
    )
    assert b" 400 " in _raw(service, request.encode()).splitlines()[0]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "127.0.0.1:8000", "[::1]:8000"])
def test_our_own_names_are_not(service: Service, host: str) -> None:
    request = f"GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    assert b" 200 " in _raw(service, request.encode()).splitlines()[0]


def test_a_long_address_and_many_headers_are_refused(service: Service) -> None:
    assert service.client.get("/v1/jobs?after=" + "x" * 10_000).status_code == 414
    many = "".join(f"X-{n}: {n}\r\n" for n in range(10_000))
    request = f"GET /healthz HTTP/1.1\r\nHost: localhost\r\n{many}Connection: close\r\n\r\n"
    assert b" 431 " in _raw(service, request.encode())[:20]


def test_a_lying_length_and_two_lengths(service: Service) -> None:
    head = f"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\n"
    head += "Content-Type: application/json\r\nConnection: close\r\n"
    body = '{"dataset": "digits", "architecture": "mlp"}'
    short = _raw(service, f"{head}Content-Length: 9999\r\n\r\n{body}".encode(), hangs_up=True)
    both = _raw(
        service,
        f"{head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{body}".encode(),
    )
    negative = _raw(service, f"{head}Content-Length: -1\r\n\r\n{body}".encode())
    for answer in (short, both, negative):
        assert b" 202 " not in answer[:20]
    assert service.rows()["jobs"] == 0


def test_a_gzipped_body_is_not_unpacked(service: Service) -> None:
    bomb = gzip.compress(b" " * 10_000_000)
    answer = service.post("/v1/jobs", bomb, **{"Content-Encoding": "gzip"})
    assert answer.status_code == 400


def test_pipelined_requests_are_each_answered(service: Service) -> None:
    one = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    last = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    assert _raw(service, (one * 199 + last).encode()).count(b"HTTP/1.1 200") == 200


class TestHeaders:
    def test_of_every_answer(self, service: Service) -> None:
        answers = [
            service.client.get("/v1/jobs"),
            service.client.get("/v1/nothing"),
            service.client.get("/docs"),
            service.post("/v1/jobs", SPEC),
            service.client.get("/v1/jobs", headers={"Host": "evil.example"}),
        ]
        for answer in answers:
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert "default-src 'none'" in answer.headers["content-security-policy"]

    def test_no_other_origin_may_read(self, service: Service) -> None:
        for method in ("GET", "OPTIONS"):
            asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
            answer = service.client.request(method, "/v1/jobs", headers=asked)
            assert "access-control-allow-origin" not in answer.headers


class TestMistakesOfOurs:
    def test_say_nothing_of_the_server(
        self, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def break_(*_: object, **__: object) -> None:
            raise RuntimeError("/a/secret/path")

        monkeypatch.setattr("api.jobs.routes.queries.list_jobs", break_)
        monkeypatch.setattr("api.errors.log.error", lambda *_, **__: None)
        answer = service.client.get("/v1/jobs")
        assert answer.status_code == 500
        assert answer.headers["content-type"] == "application/problem+json"
        assert "secret" not in answer.text
        assert answer.headers["connection"] == "close"


def test_no_route_of_the_application_is_left_out_of_the_walk(service: Service) -> None:
    documented = set(service.app.openapi()["paths"]) | {"/docs", "/openapi.json"}
    routes = {route.path for route in service.app.routes if isinstance(route, APIRoute)}
    assert routes <= documented | {"/docs"}
