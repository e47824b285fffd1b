"""Bytes that are no HTTP request are refused as every other bad request: with a problem."""

import http.client
import json
import socket
from typing import Any

import pytest

from tests.api.raw import connect
from tests.api.service import KEY, SPEC, Service

HEAD = "Host: localhost\r\n"
WITH_KEY = f"{HEAD}Authorization: Bearer {KEY}\r\nContent-Type: application/json\r\n"
BODY = json.dumps(SPEC)
CHUNKED = "POST /v1/jobs HTTP/1.1\r\n" + WITH_KEY + "Transfer-Encoding: chunked\r\n"


def _post(headers: str, body: str = "") -> str:
    return f"POST /v1/jobs HTTP/1.1\r\n{WITH_KEY}{headers}\r\n{body}"


def _get(headers: str = "", *, line: str = "GET /healthz HTTP/1.1") -> str:
    return f"{line}\r\n{HEAD}{headers}\r\n"


LONG = "x" * 65_000
#: Requests with the status and a part of the detail that refuses them.
REQUESTS: dict[str, tuple[str, int, str]] = {
    "no length": (_post("Content-Length: many\r\n", BODY), 400, "Content-Length must"),
    "a negative length": (_post("Content-Length: -1\r\n", BODY), 400, "Content-Length must"),
    "a length beyond all": (_post(f"Content-Length: {'9' * 30}\r\n"), 400, "Content-Length must"),
    "two lengths": (_post("Content-Length: 1\r\nContent-Length: 2\r\n"), 400, "more than one"),
    "a length and chunks": (
        _post("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        400,
        "both Content-Length and Transfer-Encoding",
    ),
    "chunks and a length": (
        _post("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n", "0\r\n\r\n"),
        400,
        "both Content-Length and Transfer-Encoding",
    ),
    "another encoding": (_post("Transfer-Encoding: gzip\r\n"), 400, "must be `chunked`"),
    "no size of a chunk": (f"{CHUNKED}\r\nzz\r\n", 400, "size in hexadecimal"),
    "a chunk beyond its size": (f"{CHUNKED}\r\n1\r\nabc\r\n", 400, "size in hexadecimal"),
    "two keys for a repetition": (
        _post(f"Idempotency-Key: a\r\nIdempotency-Key: a\r\nContent-Length: {len(BODY)}\r\n", BODY),
        400,
        "more than one Idempotency-Key",
    ),
    "two keys": (_get("Authorization: Bearer a\r\n" * 2), 400, "more than one Authorization"),
    "two types": (_post("Content-Type: text/plain\r\n"), 400, "more than one Content-Type"),
    "an unknown method": (_get(line="FETCH /healthz HTTP/1.1"), 501, "method is unknown"),
    "a method in lower case": (_get(line="get /healthz HTTP/1.1"), 501, "method is unknown"),
    "a method of WebDAV": (_get(line="PROPFIND /healthz HTTP/1.1"), 405, "allowed: GET"),
    "TRACE": (_get(line="TRACE /healthz HTTP/1.1"), 405, "allowed: GET"),
    "CONNECT": (_get(line="CONNECT localhost:80 HTTP/1.1"), 400, "address is not valid"),
    "no request": ("\x16\x03\x01\x02\r\n\r\n", 400, "did not send a request"),
    "another version": (_get(line="GET /healthz HTTP/9.9"), 400, "use HTTP/1.1"),
    "a space in the address": (_get(line="GET /a b HTTP/1.1"), 400, "request line"),
    "no address": (_get(line="GET healthz HTTP/1.1"), 400, "address is not valid"),
    "an address of another encoding": (_get(line="GET /\xff HTTP/1.1"), 400, "% and two"),
    "only a host": (_get(line="GET http://localhost HTTP/1.1"), 400, "address is not valid"),
    "a long address": (_get(line=f"GET /{LONG} HTTP/1.1"), 414, "8,192"),
    "a longer address": (_get(line=f"GET /{LONG * 2} HTTP/1.1"), 414, "8,192"),
    "the begin of a long address": (f"GET /{LONG * 2}", 414, "8,192"),
    "a name with a space": (_get("X Y: 1\r\n"), 400, "header is malformed"),
    "a name of another encoding": (_get("X\xff: 1\r\n"), 400, "header is malformed"),
    "no colon": (_get("X\r\n"), 400, "header is malformed"),
    "a zero in a value": (_get("X: a\0b\r\n"), 400, "header is malformed"),
    "a folded value": (_get("X: a\r\n b\r\n"), 400, "header is malformed"),
    "lines without CR": ("GET /healthz HTTP/1.1\nHost: localhost\n\n", 400, "CR and LF"),
    "10,000 headers": (_get("".join(f"X{n}: 1\r\n" for n in range(10_000))), 431, "65,536"),
    "1,000 headers": (_get("".join(f"X{n}: 1\r\n" for n in range(1_000))), 431, "100 headers"),
    "a long value": (_get(f"X: {LONG * 2}\r\n"), 431, "65,536"),
    "only empty lines": ("\r\n" * 70_000, 431, "65,536"),
    "no host": ("GET /healthz HTTP/1.1\r\n\r\n", 400, "Host header"),
}


def _read(connection: socket.socket) -> tuple[http.client.HTTPResponse, Any]:
    response = http.client.HTTPResponse(connection)
    response.begin()
    return response, json.loads(response.read())


@pytest.mark.parametrize(("request_", "status", "detail"), REQUESTS.values(), ids=REQUESTS)
def test_it_is_refused_with_a_problem(
    service: Service, request_: str, status: int, detail: str
) -> None:
    with connect(service) as connection:
        connection.sendall(request_.encode("latin-1"))
        response, body = _read(connection)
    assert response.status == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert body["status"] == status
    assert detail in body["detail"]
    assert service.rows()["jobs"] == 0


def test_refusals_of_the_protocol_are_declared(service: Service) -> None:
    document = service.client.get("/openapi.json").json()
    for operations in document["paths"].values():
        for operation in operations.values():
            assert {"400", "414", "431"} <= operation["responses"].keys()


def test_request_before_an_invalid_request_is_answered(service: Service) -> None:
    with connect(service) as connection:
        connection.sendall(_get().encode() + b"nonsense\r\n\r\n")
        assert _read(connection)[1] == {"status": "alive"}
        assert connection.recv(1) == b""


def test_request_before_it_that_still_waits_is_answered(service: Service) -> None:
    """The refusal must not stand where the response of the earlier request is expected."""
    job_id = service.submit()
    line = f"GET /v1/jobs/{job_id}?wait=60 HTTP/1.1"
    with connect(service) as connection:
        connection.sendall(f"{line}\r\n{WITH_KEY}\r\n".encode() + b"nonsense\r\n\r\n")
        service.post(f"/v1/jobs/{job_id}/cancel")
        response, body = _read(connection)
        assert (response.status, body["state"]) == (200, "cancelled")
        assert connection.recv(1) == b""


def test_body_longer_than_its_length_makes_no_second_request(service: Service) -> None:
    with connect(service) as connection:
        connection.sendall(_post(f"Content-Length: {len(BODY)}\r\n", BODY + "more").encode())
        assert _read(connection)[0].status == 202
        assert connection.recv(1) == b""
    assert service.rows()["jobs"] == 1


def test_request_for_another_protocol_is_answered_as_without_it(service: Service) -> None:
    for name in ("websocket", "h2c"):
        with connect(service) as connection:
            upgrade = f"Connection: Upgrade\r\nUpgrade: {name}\r\n"
            connection.sendall(_get(upgrade).encode())
            assert _read(connection)[1] == {"status": "alive"}
