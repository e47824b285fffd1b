"""A request's line and headers are bounded as they arrive, bodies and further requests are not."""

import http.client
import json
import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import repeat

import pytest

from api.http.protocol import MOST_HEAD_BYTES
from tests.api.service import KEY, SPEC, TIMEOUT_SECONDS, Service

#: Far more than one read takes in beside the bound.
FLOOD = 400
PIECE = b"x" * 65_536
HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
LAST = HEAD + b"Connection: close\r\n\r\n"


@contextmanager
def _connected(service: Service) -> Iterator[socket.socket]:
    address = (service.client.base_url.host, service.client.base_url.port or 80)
    with socket.create_connection(address, TIMEOUT_SECONDS) as connection:
        yield connection


def _rest(connection: socket.socket) -> bytes:
    """All that comes until the service closes the connection."""
    answer = b""
    with suppress(ConnectionError):
        while part := connection.recv(65_536):
            answer += part
    return answer


def _status(connection: socket.socket) -> int:
    """The status of one whole answer, however many pieces it comes in."""
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    answer.read()
    return answer.status


def _flood(service: Service, begin: bytes, piece: bytes = PIECE) -> bytes:
    """What is answered while this is sent on and on; times out where all of it is swallowed."""
    answer = b""
    with _connected(service) as connection:
        connection.sendall(begin)
        with suppress(ConnectionError):
            for part in repeat(piece, FLOOD):
                connection.sendall(part)
                if select.select([connection], [], [], 0)[0]:
                    answer += connection.recv(65_536)
                if b" 431 " in answer:
                    break
        return answer + _rest(connection)


@pytest.mark.parametrize(
    ("begin", "piece"),
    [
        (HEAD + b"X-Long: ", PIECE),
        (HEAD, (b"x" * 1000 + b": y\r\n") * 64),
        (b"GET /", PIECE),
        (HEAD + b"\r\n" + HEAD + b"X-Long: ", PIECE),
    ],
    ids=["a header", "many headers", "an address", "of a second request"],
)
def test_one_without_an_end_is_refused_while_it_comes(
    service: Service, begin: bytes, piece: bytes
) -> None:
    answer = _flood(service, begin, piece)
    head, _, body = answer[answer.index(b"HTTP/1.1 431") :].partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head
    assert b"connection: close" in head
    assert b"x-content-type-options: nosniff" in head
    told = json.loads(body)
    assert (told["status"], told["title"]) == (431, "Request Header Fields Too Large")
    assert str(MOST_HEAD_BYTES) in told["detail"]


def test_headers_after_a_body_are_bounded_too(service: Service) -> None:
    chunked = b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
    key = f"Authorization: Bearer {KEY}\r\nContent-Type: application/json\r\n\r\n".encode()
    assert _flood(service, chunked + key + b"1\r\n{\r\n0\r\nX-Long: ") == b""
    assert service.rows()["jobs"] == 0


def test_nothing_is_said_into_the_answer_of_another_request(service: Service) -> None:
    job_id = service.submit()
    waiting = f"GET /v1/jobs/{job_id}?wait=60 HTTP/1.1\r\nHost: localhost\r\n"
    key = f"Authorization: Bearer {KEY}\r\n\r\n"
    assert _flood(service, f"{waiting}{key}".encode() + HEAD + b"X-Long: ") == b""
    service.post(f"/v1/jobs/{job_id}/cancel")  # which ends the wait


def test_a_long_one_that_ends_is_told_why(service: Service) -> None:
    with _connected(service) as connection:
        connection.sendall(HEAD + b"X-Long: " + b"x" * 1_000_000 + b"\r\n\r\n")
        assert _rest(connection).startswith(b"HTTP/1.1 431 ")


def test_each_request_of_a_connection_begins_anew(service: Service) -> None:
    one = HEAD + b"X-Long: " + b"x" * (MOST_HEAD_BYTES // 2) + b"\r\n\r\n"
    with _connected(service) as connection:
        for _ in range(8):
            connection.sendall(one)
            assert _status(connection) == 200
        connection.sendall(one * 8 + LAST)
        assert _rest(connection).count(b"HTTP/1.1 200 ") == 9


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_body_does_not_count(service: Service, is_chunked: bool) -> None:
    body = json.dumps(SPEC).encode() + b" " * 10 * MOST_HEAD_BYTES
    said = f"Content-Length: {len(body)}"
    if is_chunked:
        said = "Transfer-Encoding: chunked"
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    request = f"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\n"
    request += f"Content-Type: application/json\r\n{said}\r\n\r\n"
    with _connected(service) as connection:
        for _ in range(3):
            connection.sendall(request.encode() + body)
            assert _status(connection) == 202
        connection.sendall(LAST)
        assert _rest(connection).startswith(b"HTTP/1.1 200 ")
