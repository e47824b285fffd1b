import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from tests.fakes.http_service import JOB_ID, http_service, request_body, send
from trainshed import ApiError, Client, Unreachable


@pytest.mark.parametrize(
    "post",
    [
        lambda client: client.submit({}),
        lambda client: client.retry(JOB_ID),
    ],
)
def test_failed_post_is_repeated_with_the_same_idempotency_key(
    post: Callable[[Client], dict[str, Any]],
) -> None:
    keys: list[str] = []

    def respond(handler: BaseHTTPRequestHandler) -> None:
        keys.append(handler.headers["Idempotency-Key"])
        if len(keys) == 1:
            handler.connection.close()
        elif len(keys) == 2:
            send(handler, 503, b'{"status": 503, "detail": "not now"}')
        else:
            send(handler, 202, json.dumps({"id": JOB_ID}).encode())

    with http_service(respond) as client:
        assert post(client)["id"] == JOB_ID
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert keys[0]


def test_refused_specification_is_not_repeated_and_its_error_names_every_fault() -> None:
    faults = [{"pointer": "/a", "detail": "is wrong"}, {"pointer": "/b", "detail": "too"}]
    problem = {"status": 422, "detail": "2 faults", "errors": faults}
    requests: list[str] = []

    def respond(handler: BaseHTTPRequestHandler) -> None:
        requests.append(handler.path)
        send(handler, 422, json.dumps(problem).encode())

    with http_service(respond) as client, pytest.raises(ApiError) as caught:
        client.submit({})
    assert len(requests) == 1
    assert "/a: is wrong" in str(caught.value)
    assert "/b: too" in str(caught.value)


def test_values_that_json_does_not_allow_are_sent_to_the_service() -> None:
    bodies: list[bytes] = []

    def respond(handler: BaseHTTPRequestHandler) -> None:
        bodies.append(request_body(handler))
        send(handler, 400, b'{"status": 400, "detail": "The body has NaN."}')

    with http_service(respond) as client, pytest.raises(ApiError, match="NaN"):
        client.submit({"seed": float("nan"), "name": "\ud800"})
    assert bodies == [b'{"seed": NaN, "name": "\\ud800"}']


def test_response_that_is_not_json_comes_from_another_service() -> None:
    with (
        http_service(lambda handler: send(handler, 200, b"<html>")) as client,
        pytest.raises(Unreachable, match="is not Trainshed"),
    ):
        client.catalog()


def test_proxy_of_the_environment_is_not_used_for_a_local_service(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    with http_service(lambda handler: send(handler, 200, b"{}")) as client:
        assert client.catalog() == {}


def test_key_may_be_any_printable_string() -> None:
    headers: list[bytes] = []

    def respond(handler: BaseHTTPRequestHandler) -> None:
        headers.append(handler.headers["Authorization"].encode("latin-1"))
        send(handler, 200, b"{}")

    with (
        http_service(respond) as client,
        Client(client.url, "ein Schlüssel – 鍵 und noch etwas") as other,
    ):
        other.catalog()
    assert headers == ["Bearer ein Schlüssel – 鍵 und noch etwas".encode()]


def test_missing_service_is_unreachable() -> None:
    with (
        Client("http://127.0.0.1:1", "k" * 20) as client,
        pytest.raises(Unreachable, match="No service answers"),
    ):
        client.get(JOB_ID)
