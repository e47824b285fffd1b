"""Connections without a key: they end in time, and make room for requests with a key."""

import http.client
import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any

import pytest

from api.http import protocol, timed_protocol
from tests.api.raw import connect
from tests.api.service import KEY, Service

HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
AUTHORIZATION = f"Authorization: Bearer {KEY}\r\n".encode()
GET = b"GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
LIMIT = 12


def read_to_end(connection: socket.socket) -> bytes:
    """Return what arrives until the service closes the connection."""
    received = b""
    with suppress(ConnectionError):
        while part := connection.recv(65_536):
            received += part
    return received


def read_response(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Read a whole response."""
    with http.client.HTTPResponse(connection) as response:
        response.begin()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return response.status, headers, response.read()


def is_open(connection: socket.socket) -> bool:
    """Return whether the service has not closed a connection on which nothing is due."""
    connection.setblocking(False)
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True
    except ConnectionError:
        return False
    finally:
        connection.settimeout(60)


def _close_connections(service: Service) -> None:
    """Close the connections of the fixture's client, which have a key."""
    transport: Any = service.client._transport
    transport.close()


class TestTime:
    def test_connection_without_a_request_is_closed(
        self, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(timed_protocol, "HEAD_SECONDS", 0.1)
        with connect(service) as connection:
            assert read_to_end(connection) == b""

    @pytest.mark.parametrize("begin", [b"GET /hea", HEAD, HEAD + b"X-Long: "])
    def test_half_a_head_is_answered_and_closed(
        self, service: Service, monkeypatch: pytest.MonkeyPatch, begin: bytes
    ) -> None:
        with connect(service) as connection:
            connection.sendall(HEAD + b"\r\n")
            assert read_response(connection)[0] == 200
            monkeypatch.setattr(timed_protocol, "HEAD_SECONDS", 0.1)
            connection.sendall(begin)
            status, headers, body = read_response(connection)
            assert read_to_end(connection) == b""
        assert (status, headers["content-type"]) == (408, "application/problem+json")
        assert json.loads(body)["title"] == "Request Timeout"

    def test_head_that_trickles_in_gets_no_more_time(
        self, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(timed_protocol, "HEAD_SECONDS", 0.5)
        with connect(service) as connection, suppress(ConnectionError):
            connection.sendall(HEAD + b"X-Long: ")
            for _ in range(1000):
                connection.sendall(b"x")
                time.sleep(0.02)
            pytest.fail("the service waits for as long as bytes arrive")

    def test_body_without_a_key_gets_no_more_time(
        self, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(timed_protocol, "BODY_SECONDS", 0.5)
        with connect(service) as connection, suppress(ConnectionError):
            connection.sendall(POST + b"Content-Length: 1000000\r\n\r\n{")
            for _ in range(1000):
                connection.sendall(b" ")
                time.sleep(0.02)
            pytest.fail("the service waits for as long as bytes arrive")

    def test_upload_with_a_key_may_take_its_time(
        self, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(timed_protocol, "BODY_SECONDS", 1.0)
        upload = b"POST /v1/weights HTTP/1.1\r\nHost: localhost\r\nContent-Length: 30\r\n"
        upload += b"Content-Type: application/octet-stream\r\n"
        with connect(service) as connection:
            connection.sendall(upload + AUTHORIZATION + b"\r\n")
            for _ in range(30):
                time.sleep(0.06)
                connection.sendall(b"x")
            status, _, body = read_response(connection)
        assert status == 422, body
        assert "safetensors" in body.decode()


class TestRoom:
    @pytest.fixture(autouse=True)
    def _few_connections(self, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
        _close_connections(service)
        monkeypatch.setattr(timed_protocol, "MAX_CONNECTIONS", LIMIT)

    @pytest.fixture
    def stack(self) -> Iterator[ExitStack]:
        with ExitStack() as stack:
            yield stack

    def test_longest_idle_connection_without_a_key_makes_room(
        self, service: Service, stack: ExitStack
    ) -> None:
        keyed = stack.enter_context(connect(service))
        keyed.sendall(GET + AUTHORIZATION + b"\r\n")
        assert read_response(keyed)[0] == 200
        idle = [stack.enter_context(connect(service)) for _ in range(LIMIT - 1)]
        for each in [*idle, idle[0]]:  # in the order of their last requests
            each.sendall(HEAD + b"\r\n")
            assert read_response(each)[0] == 200
        assert all(map(is_open, idle))
        for _ in range(3):
            newest = stack.enter_context(connect(service))
            newest.sendall(GET + AUTHORIZATION + b"\r\n")
            assert read_response(newest)[0] == 200
        closed = [number for number, each in enumerate(idle) if not is_open(each)]
        # Fewer than three if a connection of an earlier test was still there.
        assert closed
        assert closed == [1, 2, 3][: len(closed)]
        keyed.sendall(GET + AUTHORIZATION + b"\r\n")
        assert read_response(keyed)[0] == 200

    def test_half_a_body_without_a_key_makes_room_too(
        self, service: Service, stack: ExitStack
    ) -> None:
        for _ in range(LIMIT):
            half = stack.enter_context(connect(service))
            half.sendall(POST + b"Content-Length: 1000\r\n\r\n{")
        for _ in range(3):
            newest = stack.enter_context(connect(service))
            newest.sendall(GET + AUTHORIZATION + b"\r\n")
            assert read_response(newest)[0] == 200

    def test_wrong_key_does_not_keep_a_connection(self, service: Service, stack: ExitStack) -> None:
        wrong = stack.enter_context(connect(service))
        wrong.sendall(GET + b"Authorization: Bearer wrong\r\n\r\n")
        assert read_response(wrong)[0] == 401
        for _ in range(LIMIT):
            newest = stack.enter_context(connect(service))
            newest.sendall(GET + AUTHORIZATION + b"\r\n")
            assert read_response(newest)[0] == 200
        assert not is_open(wrong)

    def test_waiting_request_is_never_closed_for_others(
        self, service: Service, stack: ExitStack
    ) -> None:
        job = service.submit()
        _close_connections(service)
        waiting = stack.enter_context(connect(service))
        path = f"GET /v1/jobs/{job}?wait=60 HTTP/1.1\r\nHost: localhost\r\n".encode()
        waiting.sendall(path + AUTHORIZATION + b"\r\n")
        for _ in range(3 * LIMIT):
            stack.enter_context(connect(service)).sendall(HEAD)
        last = stack.enter_context(connect(service))
        cancel = f"POST /v1/jobs/{job}/cancel HTTP/1.1\r\nHost: localhost\r\n".encode()
        last.sendall(cancel + AUTHORIZATION + b"\r\n")
        assert read_response(last)[0] == 202
        assert read_response(waiting)[0] == 200

    def test_requests_are_refused_when_all_connections_have_a_key(
        self, service: Service, stack: ExitStack
    ) -> None:
        for _ in range(LIMIT):
            keyed = stack.enter_context(connect(service))
            keyed.sendall(GET + AUTHORIZATION + b"\r\n")
            assert read_response(keyed)[0] == 200
        more = stack.enter_context(connect(service))
        more.sendall(GET + AUTHORIZATION + b"\r\n")
        status, headers, body = read_response(more)
        assert (status, headers["content-type"]) == (503, "application/problem+json")
        assert headers["retry-after"]
        assert "too many connections" in json.loads(body)["detail"]


class TestRefusals:
    @pytest.mark.parametrize(
        ("begin", "piece", "status"),
        [
            (POST + b"Content-Length: 99999999999\r\n" + AUTHORIZATION + b"\r\n", b" ", 413),
            (POST + b"Transfer-Encoding: chunked\r\n" + AUTHORIZATION + b"\r\n", b"", 413),
            (POST + b"Content-Length: 99999999999\r\n\r\n", b" ", 413),
            (HEAD + b"X-Long: ", b"x", 431),
        ],
        ids=["declared", "chunked", "without a key", "a header"],
    )
    def test_hardly_anything_is_read_after_a_refusal(
        self,
        service: Service,
        monkeypatch: pytest.MonkeyPatch,
        begin: bytes,
        piece: bytes,
        status: int,
    ) -> None:
        monkeypatch.setattr(protocol, "LINGER_SECONDS", 0.5)
        sent = 0
        data = piece * 2**20 or b"100000\r\n" + b" " * 2**20 + b"\r\n"
        with connect(service) as connection:
            connection.sendall(begin)
            with suppress(ConnectionError):
                for _ in range(1000):
                    connection.sendall(data)
                    sent += len(data)
            assert f"HTTP/1.1 {status} ".encode() in read_to_end(connection)
        # The system's buffers take some MiB.
        assert sent < 64 * 2**20
