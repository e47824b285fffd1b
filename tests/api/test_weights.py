"""Uploads of weights."""

import hashlib
import json
import socket
import struct
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from shared import tables
from tests.api.service import KEY, TIMEOUT_SECONDS, Service

HEAD = json.dumps({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
FILE = struct.pack("<Q", len(HEAD)) + HEAD + b"\0" * 8
OCTETS = {"Content-Type": "application/octet-stream"}
AT = "/v1/weights"


def _kept(service: Service) -> tuple[list[str], int]:
    """The files there are, and how many rows."""
    folder: Path = service.storage.weights("").parent
    files = sorted(path.name for path in folder.glob("*")) if folder.exists() else []
    with service.database.read() as connection:
        count = sa.select(sa.func.count()).select_from(tables.weights)
        return files, connection.execute(count).scalar_one()


def _file_of(dtype: str, count: int, data: bytes, metadata: dict[str, str] | None = None) -> bytes:
    """A file with one tensor `a`."""
    head = {"a": {"dtype": dtype, "shape": [count], "data_offsets": [0, len(data)]}}
    text = json.dumps({**head, "__metadata__": metadata or {}}).encode()
    return struct.pack("<Q", len(text)) + text + data


def _send(service: Service, content: bytes = FILE, **parameters: str) -> httpx.Response:
    return service.client.post(AT, content=content, headers=OCTETS, params=parameters)


@pytest.fixture(autouse=True)
def _empty(service: Service) -> None:
    for path in service.storage.weights("").parent.glob("*"):
        path.unlink()


class TestUpload:
    def test_a_good_file_is_kept(self, service: Service) -> None:
        answer = _send(service, name="my weights")
        found = answer.json()
        assert answer.status_code == 201
        assert answer.headers["location"] == f"{AT}/{found['id']}"
        assert (found["object"], found["name"], found["owner"]) == (
            "weights",
            "my weights",
            "admin",
        )
        assert (found["bytes"], found["tensors"], found["parameters"]) == (len(FILE), 1, 2)
        assert found["sha256"] == hashlib.sha256(FILE).hexdigest()
        assert service.storage.weights(found["id"]).read_bytes() == FILE
        assert service.client.get(answer.headers["location"]).json() == found

    def test_larger_than_a_body_of_json_may_be(self, service: Service) -> None:
        size = 9 * 2**20
        head = {"a": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}
        text = json.dumps(head).encode()
        content = struct.pack("<Q", len(text)) + text + bytes(size)
        found = _send(service, content).json()
        assert found["parameters"] == size
        assert found["sha256"] == hashlib.sha256(content).hexdigest()

    @pytest.mark.parametrize(
        "content",
        [b"", b"\x80\x04 pickle", b"PK\x03\x04", FILE[:-1], FILE + b"\0", b"<svg/>" * 9],
    )
    def test_a_bad_one_is_not(self, service: Service, content: bytes) -> None:
        answer = _send(service, content)
        assert answer.status_code == 422
        assert answer.json()["type"] == "urn:trainshed:problem:bad-weights"
        assert _kept(service) == ([], 0)

    @pytest.mark.parametrize("dtype", ["F32", "F64", "F16", "BF16"])
    @pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
    def test_one_with_a_value_that_is_not_finite(
        self, service: Service, dtype: str, value: float
    ) -> None:
        element = {"F32": "<f", "F64": "<d", "F16": "<e", "BF16": "<f"}[dtype]
        bits = struct.pack(element, value)[-2 if dtype == "BF16" else 0 :]
        data = b"\0" * len(bits) * 5 + bits
        answer = _send(service, _file_of(dtype, 6, data))
        assert answer.status_code == 422
        assert "'a' has a value that is not finite" in answer.json()["detail"]
        assert _kept(service) == ([], 0)

    def test_the_largest_values_are_kept(self, service: Service) -> None:
        largest = {
            "F32": struct.pack("<f", -3.4e38),
            "F64": struct.pack("<d", 3.4e38),
            "F16": struct.pack("<e", 65504.0),
            "BF16": struct.pack("<f", 3.3e38)[2:],
            "I64": b"\xff" * 8,
        }
        for dtype, data in largest.items():
            assert _send(service, _file_of(dtype, 1, data)).status_code == 201, dtype
        too_large = _file_of("F64", 1, struct.pack("<d", -3.5e38))
        assert _send(service, too_large).status_code == 422

    def test_one_whose_normalization_is_absurd(self, service: Service) -> None:
        said = {"normalization": json.dumps({"mean": [0.5], "deviation": [-1]})}
        answer = _send(service, _file_of("F32", 2, b"\0" * 8, metadata=said))
        assert answer.status_code == 422
        assert answer.json()["detail"].startswith("The file's normalization has a deviation")
        assert _kept(service) == ([], 0)

    def test_one_without_a_tensor(self, service: Service) -> None:
        answer = _send(service, struct.pack("<Q", 2) + b"{}")
        assert answer.status_code == 422
        assert "no tensors" in answer.json()["detail"]
        assert _kept(service) == ([], 0)

    def test_far_too_large(self, service: Service) -> None:
        head = f"POST {AT} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\n"
        head += "Content-Type: application/octet-stream\r\nConnection: close\r\n"
        head += f"Content-Length: {2**40}\r\n\r\n"
        address = (service.client.base_url.host, service.client.base_url.port or 80)
        with socket.create_connection(address, TIMEOUT_SECONDS) as connection:
            connection.sendall(head.encode())
            assert b" 413 " in connection.recv(1000).splitlines()[0]
        assert _kept(service) == ([], 0)

    def test_an_endless_one(self, service: Service) -> None:
        state = service.app.state
        services = state.services
        bound = services.settings.model_copy(update={"limit_upload_mib": 1})
        state.services = replace(services, settings=bound)
        try:
            chunks = (b"\0" * 65_536 for _ in range(100))
            answer = service.client.post(AT, content=chunks, headers=OCTETS)
        finally:
            state.services = services
        assert answer.status_code == 413
        assert "TRAINSHED_LIMIT_UPLOAD_MIB" in answer.json()["detail"]
        assert _kept(service) == ([], 0)

    def test_one_that_breaks_off(self, service: Service) -> None:
        head = f"POST {AT} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\n"
        head += "Content-Type: application/octet-stream\r\n"
        head += f"Content-Length: {len(FILE)}\r\n\r\n"
        address = (service.client.base_url.host, service.client.base_url.port or 80)
        with socket.create_connection(address, TIMEOUT_SECONDS) as connection:
            connection.sendall(head.encode() + FILE[: len(FILE) // 2])
            service.wait_until(lambda: _kept(service)[0], "the file that is being written")
        service.wait_until(lambda: not _kept(service)[0], "its end")
        assert _kept(service) == ([], 0)

    def test_a_row_that_cannot_be_written_leaves_no_file(self, service: Service) -> None:
        engine = service.app.state.services.database.engine

        def fail(_: sa.Connection) -> None:
            raise sa.exc.OperationalError("COMMIT", {}, Exception("gone"))

        sa.event.listen(engine, "commit", fail)
        try:
            answer = _send(service)
        finally:
            sa.event.remove(engine, "commit", fail)
        assert answer.status_code == 503
        assert _kept(service) == ([], 0)

    def test_another_media_type(self, service: Service) -> None:
        answer = service.client.post(AT, content=FILE, headers={"Content-Type": "image/png"})
        assert answer.status_code == 415
        assert service.client.post(AT, content=FILE).status_code == 415

    def test_a_name_that_is_none(self, service: Service) -> None:
        assert _send(service, name="a\nb").status_code == 400
        assert _send(service, name="x" * 201).status_code == 422
        assert _kept(service) == ([], 0)

    def test_other_routes_keep_their_bound(self, service: Service) -> None:
        big = b" " * 1_100_000
        assert service.client.post("/v1/weights/x", content=big).status_code == 413


class TestList:
    def test_newest_first_with_pages(self, service: Service) -> None:
        ids = [_send(service, name=str(n)).json()["id"] for n in range(3)]
        first = service.client.get(AT, params={"limit": 2}).json()
        rest = service.client.get(AT, params={"after": first["data"][-1]["id"]}).json()
        assert [one["id"] for one in [*first["data"], *rest["data"]]] == ids[::-1]
        assert (first["has_more"], rest["has_more"]) == (True, False)

    @pytest.mark.parametrize(
        "weights_id", ["x", "..%2f..", "job_" + "0" * 26, "weights_" + "0" * 26]
    )
    def test_an_id_of_nothing(self, service: Service, weights_id: str) -> None:
        assert service.client.get(f"{AT}/{weights_id}").status_code == 404
        assert service.client.delete(f"{AT}/{weights_id}").status_code == 404

    def test_what_is_deleted_is_gone(self, service: Service) -> None:
        weights_id = _send(service).json()["id"]
        answer = service.client.delete(f"{AT}/{weights_id}")
        assert answer.json()["freed_bytes"] == len(FILE)
        assert _kept(service) == ([], 0)
        assert service.client.delete(f"{AT}/{weights_id}").status_code == 404
