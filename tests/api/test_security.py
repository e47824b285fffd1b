"""Authentication, and what responses must not reveal."""

import gzip

import httpx
import pytest
from fastapi.routing import iter_route_contexts

from tests.api.raw import send_raw
from tests.api.service import KEY, Service

PUBLIC = {"/healthz", "/readyz", "/docs", "/openapi.json"}


def _routes(service: Service) -> list[tuple[str, str]]:
    """Return every method and address of the document, with an id for each path parameter."""
    routes = []
    for path, operations in service.app.openapi()["paths"].items():
        address = path
        for name in ("job_id", "checkpoint", "artifact", "name", "weights_id"):
            address = address.replace(f"{{{name}}}", "job_" + "0" * 26)
        routes += [(method.upper(), address) for method in operations]
    return routes


def test_every_route_that_is_not_public_requires_a_key(service: Service) -> None:
    routes = _routes(service)
    assert len(routes) > 20
    with httpx.Client(base_url=service.client.base_url) as anonymous:
        for method, path in [*routes, ("GET", "/docs"), ("GET", "/openapi.json")]:
            response = anonymous.request(method, path)
            if path in PUBLIC:
                assert response.status_code in {200, 503}, path
            else:
                assert response.status_code == 401, (method, path)
                assert response.headers["www-authenticate"] == "Bearer"


def test_every_route_of_the_application_is_documented(service: Service) -> None:
    documented = set(service.app.openapi()["paths"]) | {"/docs", "/openapi.json"}
    routes = iter_route_contexts(service.app.router.routes)
    paths = {route.path or "" for route in routes if (route.path or "").startswith("/v1")}
    assert len(paths) > 40
    assert {path.replace(":path", "") for path in paths} <= documented


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
def test_wrong_key_is_refused(service: Service, header: str) -> None:
    with httpx.Client(base_url=service.client.base_url) as anonymous:
        headers = [(b"Authorization", header.encode("latin-1"))]
        response = anonymous.get("/v1/jobs", headers=headers)
    assert response.status_code in {401, 431}


def test_scheme_is_case_insensitive(service: Service) -> None:
    response = service.client.get("/v1/jobs", headers={"Authorization": f"bearer {KEY}"})
    assert response.status_code == 200


def test_key_in_the_address_is_ignored(service: Service) -> None:
    with httpx.Client(base_url=service.client.base_url) as anonymous:
        response = anonymous.get("/v1/jobs", params={"key": KEY, "access_token": KEY})
    assert response.status_code == 401


def test_two_keys_are_refused(service: Service) -> None:
    request = (
        f"GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\n"
        "Authorization: Bearer another\r\nConnection: close\r\n\r\n"
    )
    assert b" 400 " in send_raw(service, request.encode()).splitlines()[0]


@pytest.mark.parametrize(
    "path",
    ["//v1/jobs", "/v1//jobs", "/v1/./jobs", "/healthz/../v1/jobs", "/V1/jobs", "/%76%31/jobs/",
     "/v1/jobs/.", "/healthz%2f..%2fv1%2fjobs", "/v1/jobs;x", "/docs/../v1/jobs"],
)  # fmt: skip
def test_no_spelling_of_an_address_avoids_the_key(service: Service, path: str) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    status = send_raw(service, request.encode()).splitlines()[0]
    assert not status.split()[1].startswith(b"2"), (path, status)


def test_gzipped_body_is_not_decompressed(service: Service) -> None:
    bomb = gzip.compress(b" " * 10_000_000)
    response = service.post("/v1/jobs", bomb, **{"Content-Encoding": "gzip"})
    assert response.status_code == 400


def test_pipelined_requests_are_all_answered(service: Service) -> None:
    request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    last = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    response = send_raw(service, (request * 199 + last).encode())
    assert response.count(b"HTTP/1.1 200") == 200


def test_no_other_origin_may_read(service: Service) -> None:
    for method in ("GET", "OPTIONS"):
        headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
        response = service.client.request(method, "/v1/jobs", headers=headers)
        assert "access-control-allow-origin" not in response.headers


def test_internal_error_reveals_nothing_of_the_server(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_(*_: object, **__: object) -> None:
        raise RuntimeError("/a/secret/path")

    monkeypatch.setattr("api.jobs.routes.queries.list_jobs", break_)
    monkeypatch.setattr("api.errors.log.error", lambda *_, **__: None)
    response = service.client.get("/v1/jobs")
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert "secret" not in response.text
    assert response.headers["connection"] == "close"
