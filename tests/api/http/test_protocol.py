"""The limit on request line and headers, which applies while they arrive; bodies do not count."""

import http.client
import json
import select
import socket
from contextlib import suppress
from itertools import repeat

import pytest

from api.http.protocol import MAX_HEAD_BYTES
from tests.api.raw import connect
from tests.api.service import KEY, SPEC, Service

#: Pieces to send: far more than a read takes in beyond the limit.
FLOOD = 400
PIECE = b"x" * 65_536
HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
LAST_REQUEST = HEAD + b"Connection: close\r\n\r\n"


def _read_to_end(connection: socket.socket) -> bytes:
    """Return what arrives until the service closes or resets the connection."""
    response = b""
    with suppress(ConnectionError):
        while part := connection.recv(65_536):
            response += part
    return response


def _status(connection: socket.socket) -> int:
    """Read a whole response, in however many pieces it arrives, and return its status."""
    response = http.client.HTTPResponse(connection)
    response.begin()
    response.read()
    return response.status


def _flood(service: Service, begin: bytes, piece: bytes = PIECE) -> bytes:
    """Return the response while a piece is sent again and again; time out if all are accepted."""
    response = b""
    with connect(service) as connection:
        connection.sendall(begin)
        with suppress(ConnectionError):
            for part in repeat(piece, FLOOD):
                connection.sendall(part)
                if select.select([connection], [], [], 0)[0]:
                    response += connection.recv(65_536)
                if b" 431 " in response or b" 414 " in response:
                    break
        return response + _read_to_end(connection)


@pytest.mark.parametrize(
    ("begin", "piece"),
    [
        (HEAD + b"X-Long: ", PIECE),
        (HEAD, (b"x" * 1000 + b": y\r\n") * 64),
        (HEAD + b"\r\n" + HEAD + b"X-Long: ", PIECE),
    ],
    ids=["a header", "many headers", "of a second request"],
)
def test_endless_head_is_refused_while_it_arrives(
    service: Service, begin: bytes, piece: bytes
) -> None:
    response = _flood(service, begin, piece)
    head, _, body = response[response.index(b"HTTP/1.1 431") :].partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head
    assert b"connection: close" in head
    assert b"x-content-type-options: nosniff" in head
    problem = json.loads(body)
    assert (problem["status"], problem["title"]) == (431, "Request Header Fields Too Large")
    assert f"{MAX_HEAD_BYTES:,}" in problem["detail"]


def test_endless_address_is_refused_while_it_arrives(service: Service) -> None:
    assert _flood(service, b"GET /").startswith(b"HTTP/1.1 414 ")


def test_headers_after_a_body_are_limited_too(service: Service) -> None:
    chunked = b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
    key = f"Authorization: Bearer {KEY}\r\nContent-Type: application/json\r\n\r\n".encode()
    assert _flood(service, chunked + key + b"1\r\n{\r\n0\r\nX-Long: ") == b""
    assert service.rows()["jobs"] == 0


def test_refusal_is_not_written_into_the_response_to_another_request(service: Service) -> None:
    job_id = service.submit()
    waiting = f"GET /v1/jobs/{job_id}?wait=60 HTTP/1.1\r\nHost: localhost\r\n"
    key = f"Authorization: Bearer {KEY}\r\n\r\n"
    assert _flood(service, f"{waiting}{key}".encode() + HEAD + b"X-Long: ") == b""
    service.post(f"/v1/jobs/{job_id}/cancel")  # which ends the wait


def test_client_that_sends_a_long_head_receives_the_reason(service: Service) -> None:
    with connect(service) as connection:
        connection.sendall(HEAD + b"X-Long: " + b"x" * 1_000_000 + b"\r\n\r\n")
        assert _read_to_end(connection).startswith(b"HTTP/1.1 431 ")


def test_limit_applies_to_each_request_of_a_connection(service: Service) -> None:
    request = HEAD + b"X-Long: " + b"x" * (MAX_HEAD_BYTES // 2) + b"\r\n\r\n"
    with connect(service) as connection:
        for _ in range(8):
            connection.sendall(request)
            assert _status(connection) == 200
        connection.sendall(request * 8 + LAST_REQUEST)
        assert _read_to_end(connection).count(b"HTTP/1.1 200 ") == 9


@pytest.mark.parametrize("is_chunked", [False, True])
def test_body_does_not_count(service: Service, is_chunked: bool) -> None:
    body = json.dumps(SPEC).encode() + b" " * 10 * MAX_HEAD_BYTES
    framing = f"Content-Length: {len(body)}"
    if is_chunked:
        framing = "Transfer-Encoding: chunked"
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    request = f"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\n"
    request += f"Content-Type: application/json\r\n{framing}\r\n\r\n"
    with connect(service) as connection:
        for _ in range(3):
            connection.sendall(request.encode() + body)
            assert _status(connection) == 202
        connection.sendall(LAST_REQUEST)
        assert _read_to_end(connection).startswith(b"HTTP/1.1 200 ")
