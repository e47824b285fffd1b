"""Uploads of data sets: stored whole, as a new version, or not at all."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from shared import uploaded_datasets
from tests.api.datasets.recorded_checks import CONTENT, files, store
from tests.api.raw import connect
from tests.api.service import KEY, Service


def test_upload_is_stored_as_a_version_that_is_checked_later(service: Service) -> None:
    response = store(service)
    dataset = response.json()
    assert response.status_code == 202
    assert response.headers["location"] == "/v1/datasets/flowers@1"
    assert (dataset["name"], dataset["version"], dataset["state"]) == ("flowers", 1, "checking")
    assert (dataset["owner"], dataset["bytes"]) == ("admin", len(CONTENT))
    assert [path.name for path in files(service)] == ["flowers@1"]
    assert files(service)[0].read_bytes() == CONTENT
    assert service.client.get("/v1/datasets/flowers").json() == dataset


@pytest.mark.parametrize("name", ["digits", "table", "Flowers", "a/b", "..", "flowers@2", "a" * 64])
def test_name_that_is_built_in_or_no_name_is_refused(service: Service, name: str) -> None:
    response = store(service, name)
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "/query/name"
    assert files(service) == []


def test_uploads_of_one_name_at_once_become_different_versions(service: Service) -> None:
    contents = [f"PK\x03\x04 {index}".encode() for index in range(8)]
    with ThreadPoolExecutor(8) as threads:
        responses = [*threads.map(lambda c: store(service, content=c).json(), contents)]
    assert sorted(response["version"] for response in responses) == [*range(1, 9)]
    directory = uploaded_datasets.directory(service.settings.home)
    for content, response in zip(contents, responses, strict=True):
        assert (directory / f"flowers@{response['version']}").read_bytes() == content
    listed = service.client.get("/v1/datasets/flowers/versions").json()["data"]
    assert [dataset["version"] for dataset in listed] == [*range(8, 0, -1)]


def test_aborted_upload_leaves_nothing(service: Service) -> None:
    head = (
        "POST /v1/datasets?name=flowers HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {KEY}\r\nContent-Type: application/zip\r\n"
        "Content-Length: 1000000\r\n\r\n"
    )
    with connect(service) as connection:
        connection.sendall(head.encode() + b"\0" * 65_536)
    service.client.get("/v1/datasets/digits")
    assert service.client.get("/v1/datasets/flowers").status_code == 404
    _wait_until_empty(service)


def _wait_until_empty(service: Service) -> None:
    for _ in range(1000):
        if not files(service):
            return
        service.client.get("/healthz")
    assert files(service) == []
