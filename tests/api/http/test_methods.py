"""The methods of every address: OPTIONS, HEAD and the Allow header."""

import asyncio
import re

import pytest
from starlette.types import Message, Receive, Scope, Send

from api.http.methods import Methods
from shared.ids import new_id
from tests.api.raw import send_raw
from tests.api.service import Service

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "QUERY"}
#: Addresses that the document does not list.
PAGES = {"/": {"GET"}, "/docs": {"GET"}, "/openapi.json": {"GET"}}


def _addresses(service: Service) -> dict[str, set[str]]:
    """Return the methods of every address."""
    job_id = service.submit()
    document = service.client.get("/openapi.json").json()
    found = dict(PAGES)
    for path, operations in document["paths"].items():
        address = re.sub(r"\{\w+\}", "x", path.replace("{job_id}", job_id))
        found[address] = {method.upper() for method in operations}
    return found


def _with_others(methods: set[str]) -> set[str]:
    return methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())


def test_options_lists_exactly_the_methods(service: Service) -> None:
    for address, methods in _addresses(service).items():
        response = service.client.options(address)
        assert response.status_code == 204, address
        assert set(response.headers["allow"].split(", ")) == _with_others(methods), address


def test_every_other_method_is_refused_with_the_same_list(service: Service) -> None:
    for address, methods in _addresses(service).items():
        allowed = _with_others(methods)
        for method in METHODS - allowed:
            response = service.client.request(method, address)
            assert response.status_code == 405, (method, address)
            assert response.headers["content-type"] == "application/problem+json"
            assert set(response.headers["allow"].split(", ")) == allowed
            if method != "HEAD":
                detail = response.json()["detail"]
                assert detail.startswith(f"{method} is not allowed here; allowed: ")


def test_head_is_get_without_the_body(service: Service) -> None:
    for address, methods in _addresses(service).items():
        if "GET" not in methods:
            continue
        head, get = service.client.head(address), service.client.get(address)
        assert (head.status_code, head.content) == (get.status_code, b""), address
        assert head.headers["content-type"] == get.headers["content-type"]
        assert head.headers.get("etag") == get.headers.get("etag")


def test_head_of_a_stream_ends(service: Service) -> None:
    address = f"/v1/jobs/{service.start_job().job_id}/events"
    for _ in range(2):
        response = service.client.head(address, headers={"Accept": "text/event-stream"})
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.content == b""


def test_head_sends_the_headers_and_an_end_and_nothing_more() -> None:
    start = {"type": "http.response.start", "status": 200, "headers": []}
    sent: list[Message] = []

    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["method"] == "GET"
        await send(start)
        for part in (b"a", b"b"):
            await send({"type": "http.response.body", "body": part, "more_body": True})

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "HEAD", "path": "/"}
    asyncio.run(Methods(stream, routes=[])(scope, receive, send))
    assert sent == [start, {"type": "http.response.body", "body": b"", "more_body": False}]


@pytest.mark.parametrize("method", ["OPTIONS", "HEAD", "TRACE"])
def test_unknown_address_has_no_methods(service: Service, method: str) -> None:
    response = service.client.request(method, "/v1/nothing")
    assert response.status_code == 404
    assert "allow" not in response.headers


def test_options_of_a_job_that_does_not_exist_lists_the_methods_of_its_address(
    service: Service,
) -> None:
    response = service.client.options(f"/v1/jobs/{new_id('job')}/cancel")
    assert response.headers["allow"] == "POST, OPTIONS"


def test_options_of_everything_lists_every_method(service: Service) -> None:
    request = b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    response = send_raw(service, request)
    assert b"allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n" in response
