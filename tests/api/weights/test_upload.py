"""Storing an upload: complete files remain, everything else leaves nothing behind."""

import hashlib
import json
import struct
from dataclasses import replace

import pytest
import sqlalchemy as sa

from tests.api.raw import connect
from tests.api.service import KEY, Service
from tests.api.weights.files import ADDRESS, FILE, HEADERS, stored, upload

pytestmark = pytest.mark.usefixtures("no_uploads")


def _head(content_length: int) -> bytes:
    """Return the head of an upload's request."""
    return (
        f"POST {ADDRESS} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\n"
        "Content-Type: application/octet-stream\r\nConnection: close\r\n"
        f"Content-Length: {content_length}\r\n\r\n"
    ).encode()


def test_valid_file_is_stored(service: Service) -> None:
    response = upload(service, name="my weights")
    weights = response.json()
    assert response.status_code == 201
    assert response.headers["location"] == f"{ADDRESS}/{weights['id']}"
    assert (weights["object"], weights["name"]) == ("weights", "my weights")
    assert weights["owner"] == "admin"
    assert (weights["bytes"], weights["tensors"], weights["parameters"]) == (len(FILE), 1, 2)
    assert weights["sha256"] == hashlib.sha256(FILE).hexdigest()
    assert service.storage.weights(weights["id"]).read_bytes() == FILE
    assert service.client.get(response.headers["location"]).json() == weights


def test_file_may_be_larger_than_a_json_body(service: Service) -> None:
    size = 9 * 2**20
    header = {"a": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}
    text = json.dumps(header).encode()
    content = struct.pack("<Q", len(text)) + text + bytes(size)
    weights = upload(service, content).json()
    assert weights["parameters"] == size
    assert weights["sha256"] == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    "content",
    [b"", b"\x80\x04 pickle", b"PK\x03\x04", FILE[:-1], FILE + b"\0", b"<svg/>" * 9],
)
def test_invalid_file_is_refused(service: Service, content: bytes) -> None:
    response = upload(service, content)
    assert response.status_code == 422
    assert response.json()["type"] == "urn:trainshed:problem:bad-weights"
    assert stored(service) == ([], 0)


def test_declared_length_over_the_limit_is_refused_at_once(service: Service) -> None:
    with connect(service) as connection:
        connection.sendall(_head(2**40))
        assert b" 413 " in connection.recv(1000).splitlines()[0]
    assert stored(service) == ([], 0)


def test_stream_is_refused_when_it_exceeds_the_limit(service: Service) -> None:
    state = service.app.state
    services = state.services
    settings = services.settings.model_copy(update={"limit_upload_mib": 1})
    state.services = replace(services, settings=settings)
    try:
        chunks = (b"\0" * 65_536 for _ in range(100))
        response = service.client.post(ADDRESS, content=chunks, headers=HEADERS)
    finally:
        state.services = services
    assert response.status_code == 413
    assert response.json()["detail"] == (
        "The file exceeds the limit of 1 MiB, which TRAINSHED_LIMIT_UPLOAD_MIB sets."
    )
    assert stored(service) == ([], 0)


def test_interrupted_upload_leaves_nothing(service: Service) -> None:
    with connect(service) as connection:
        connection.sendall(_head(len(FILE)) + FILE[: len(FILE) // 2])
        service.wait_until(lambda: stored(service)[0], "the temporary file")
    service.wait_until(lambda: not stored(service)[0], "its removal")
    assert stored(service) == ([], 0)


def test_failed_commit_leaves_no_file(service: Service) -> None:
    engine = service.app.state.services.database.engine

    def fail(_: sa.Connection) -> None:
        raise sa.exc.OperationalError("COMMIT", {}, Exception("gone"))

    sa.event.listen(engine, "commit", fail)
    try:
        response = upload(service)
    finally:
        sa.event.remove(engine, "commit", fail)
    assert response.status_code == 503
    assert stored(service) == ([], 0)
