"""Uploads of data sets: versions, states, what specifications may name, and what stays behind."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from shared import tables, uploaded_datasets
from tests.api.raw import connect
from tests.api.service import KEY, Service

CONTENT = b"PK\x03\x04 not checked by the API"
HASH = f"sha256:{'5' * 64}"


@pytest.fixture(autouse=True)
def _no_uploads(service: Service) -> None:
    for path in _files(service):
        path.unlink()


def _files(service: Service) -> list[Path]:
    return sorted(uploaded_datasets.directory(service.settings.home).glob("*"))


def _upload(service: Service, name: str = "flowers", content: bytes = CONTENT) -> httpx.Response:
    headers = {"Content-Type": "application/zip"}
    return service.client.post(
        "/v1/datasets", params={"name": name}, content=content, headers=headers
    )


def _class(name: str, images: int, *own: int) -> dict[str, Any]:
    splits = dict(zip(("train", "validation", "test"), own or (None, None, None), strict=True))
    return {"name": name, "images": images, **splits}


def _report(*classes: dict[str, Any]) -> dict[str, Any]:
    return {
        "kind": "images",
        "task": "classification",
        "images": sum(found["images"] for found in classes),
        "classes": list(classes),
        "image_sizes": {"min": [20, 20], "median": [40, 32], "max": [90, 90]},
        "channels": 3,
        "mean": [0.5, 0.5, 0.5],
        "std": [0.2, 0.2, 0.2],
        "warnings": [{"rule": "small_class", "detail": "…", "files": []}],
        "rejected": [],
        "content_hash": HASH,
    }


def _finish(service: Service, dataset: dict[str, Any], *classes: dict[str, Any]) -> None:
    """Do what the checker does; without classes the upload is rejected."""
    rejected = {"rejected": [{"file": "rose/1.png", "detail": "It is truncated"}]}
    state, report = ("ready", _report(*classes)) if classes else ("rejected", rejected)
    with service.database.write() as connection:
        assert uploaded_datasets.begin_check(connection, dataset["id"]) is not None
        content_hash = HASH if classes else None
        assert uploaded_datasets.end_check(connection, dataset["id"], state, report, content_hash)


ROSES, TULIPS = _class("rose", 60), _class("tulip", 40)


def test_upload_is_stored_as_a_version_that_is_checked_later(service: Service) -> None:
    response = _upload(service)
    dataset = response.json()
    assert response.status_code == 202
    assert response.headers["location"] == "/v1/datasets/flowers@1"
    assert (dataset["name"], dataset["version"], dataset["state"]) == ("flowers", 1, "checking")
    assert (dataset["owner"], dataset["bytes"]) == ("admin", len(CONTENT))
    assert [path.name for path in _files(service)] == ["flowers@1"]
    assert _files(service)[0].read_bytes() == CONTENT
    assert service.client.get("/v1/datasets/flowers").json() == dataset


@pytest.mark.parametrize("name", ["digits", "table", "Flowers", "a/b", "..", "flowers@2", "a" * 64])
def test_name_that_is_built_in_or_no_name_is_refused(service: Service, name: str) -> None:
    response = _upload(service, name)
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "/query/name"
    assert _files(service) == []


def test_uploads_of_one_name_at_once_become_different_versions(service: Service) -> None:
    contents = [f"PK\x03\x04 {index}".encode() for index in range(8)]
    with ThreadPoolExecutor(8) as threads:
        responses = [*threads.map(lambda c: _upload(service, content=c).json(), contents)]
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
        if not _files(service):
            return
        service.client.get("/healthz")
    assert _files(service) == []


def test_uploads_are_listed_with_the_built_in_sets_by_their_newest_version(
    service: Service,
) -> None:
    _upload(service)
    _upload(service)
    _upload(service, "birds")
    names, after = [], None
    while True:
        query = {"limit": 1} | ({"after": after} if after else {})
        page = service.client.get("/v1/datasets", params=query).json()
        names += [(dataset["name"], dataset.get("version")) for dataset in page["data"]]
        if not page["has_more"]:
            break
        after = page["data"][-1]["id"]
    assert names[:4] == [("birds", 1), ("cifar10", None), ("digits", None), ("fashion-mnist", None)]
    assert names[4:] == [("flowers", 2), ("synthetic", None), ("table", None)]


def test_versions_are_listed_page_by_page(service: Service) -> None:
    uploaded = [_upload(service).json() for _ in range(5)]
    address, found, after = "/v1/datasets/flowers/versions", list[int](), None
    while True:
        query = {"limit": 2} | ({"after": after} if after else {})
        page = service.client.get(address, params=query).json()
        found += [dataset["version"] for dataset in page["data"]]
        if not page["has_more"]:
            break
        after = page["data"][-1]["id"]
    assert found == [5, 4, 3, 2, 1]
    service.client.delete("/v1/datasets/flowers@3")
    for path in (address, "/v1/datasets"):
        gone = service.client.get(path, params={"after": uploaded[2]["id"]})
        assert gone.status_code == 400, "not the first page again"
    other = _upload(service, "birds").json()["id"]
    assert service.client.get(address, params={"after": other}).status_code == 400
    for text in ("digits", "ds_", "", "x" * 200):
        assert service.client.get(address, params={"after": text}).status_code == 400
    assert service.client.get("/v1/datasets", params={"after": "dig"}).status_code == 400


@pytest.mark.parametrize(
    "damage",
    [
        {},
        {"kind": "video"},
        {"classes": None},
        {"classes": [{"name": "rose"}]},
        {"classes": [{"name": 5, "images": 1, "train": None, "validation": None, "test": None}]},
        {"image_sizes": None},
        {"image_sizes": {"min": [1], "median": [], "max": [2, 2]}},
        {"channels": 2},
        {"images": -1},
        {"images": "60"},
        {"warnings": ["small"]},
        {"rejected": [["rose/1.png"]]},
    ],
)
def test_damaged_report_stops_no_listing_and_no_submission(
    service: Service, damage: dict[str, Any]
) -> None:
    _finish(service, _upload(service).json(), ROSES, TULIPS)
    damaged = _upload(service).json()
    _finish(service, damaged, ROSES, TULIPS)
    _finish(service, _upload(service, "birds").json(), ROSES, TULIPS)
    _finish(service, _upload(service, "zebras").json(), ROSES, TULIPS)
    report = _report(ROSES, TULIPS) | damage if damage else {}
    rows = tables.datasets.c
    with service.database.write() as connection:
        update = sa.update(tables.datasets).where(rows.id == damaged["id"])
        connection.execute(update.values(report=report))
    listed = service.client.get("/v1/datasets", params={"after": "fashion-mnist", "limit": 2})
    assert [dataset["name"] for dataset in listed.json()["data"]] == ["synthetic", "table"]
    assert listed.json()["has_more"]
    whole = service.client.get("/v1/datasets", params={"limit": 100}).json()["data"]
    assert {"birds", "zebras"} <= {dataset["name"] for dataset in whole}
    versions = service.client.get("/v1/datasets/flowers/versions", params={"limit": 1}).json()
    assert ([v["version"] for v in versions["data"]], versions["has_more"]) == ([1], False)
    job = service.job(service.submit(dataset="flowers"))
    assert job["spec"]["dataset"]["name"] == "flowers@1"
    assert service.client.get("/v1/datasets", params={"after": damaged["id"]}).status_code == 200


def test_damaged_row_stops_no_check(service: Service) -> None:
    damaged, whole = _upload(service).json(), _upload(service).json()
    rows = tables.datasets.c
    with service.database.write() as connection:
        update = sa.update(tables.datasets).where(rows.id == damaged["id"])
        connection.execute(update.values(bytes=-1))
    with service.database.read() as connection:
        assert uploaded_datasets.unchecked(connection) == [whole["id"]]


class TestSpecification:
    """What a job may name."""

    def test_newest_ready_version_is_pinned(self, service: Service) -> None:
        _finish(service, _upload(service).json(), ROSES, TULIPS)
        _finish(service, _upload(service).json(), ROSES, TULIPS)
        _finish(service, _upload(service).json())
        _upload(service)
        job = service.job(service.submit(dataset="flowers"))
        dataset = job["spec"]["dataset"]
        assert (dataset["name"], dataset["content_hash"]) == ("flowers@2", HASH)
        assert (dataset["train"], dataset["validation"], dataset["test"]) == (70, 15, 15)
        assert (dataset["image_size"], dataset["channels"]) == (32, 3)
        assert dataset["resize"] == "crop"
        first = service.job(service.submit(dataset={"name": "flowers@1", "resize": "pad"}))
        assert first["spec"]["dataset"]["name"] == "flowers@1"
        assert first["spec"]["dataset"]["resize"] == "pad"

    def test_split_that_lacks_a_class_is_a_warning(self, service: Service) -> None:
        rare = _class("rare", 8)
        _finish(service, _upload(service).json(), ROSES, TULIPS, rare)
        job = service.job(service.submit(dataset="flowers"))
        assert not [w for w in job["warnings"] if w["pointer"].startswith("/dataset")]
        job = service.job(service.submit(dataset={"name": "flowers", "test": 5}))
        (warning,) = [w for w in job["warnings"] if w["pointer"].startswith("/dataset")]
        assert warning["pointer"] == "/dataset/test"
        assert "`rare`" in warning["detail"]
        own = _class("rose", 60, 40, 10, 10), _class("tulip", 50, 40, 10, 0)
        _finish(service, _upload(service).json(), *own)
        job = service.job(service.submit(dataset="flowers"))
        (warning,) = [w for w in job["warnings"] if w["pointer"].startswith("/dataset")]
        assert (warning["pointer"], "`tulip`" in warning["detail"]) == ("/dataset/test", True)

    def test_filled_specification_can_be_submitted_again(self, service: Service) -> None:
        _finish(service, _upload(service).json(), ROSES, TULIPS)
        filled = service.job(service.submit(dataset="flowers"))["spec"]["dataset"]
        assert service.job(service.submit(dataset=filled))["spec"]["dataset"] == filled
        other = {**filled, "content_hash": f"sha256:{'6' * 64}"}
        faults = service.faults({"dataset": other, "architecture": "mlp"})
        assert "which is sha256:555" in faults["/dataset/content_hash"]

    def test_set_that_is_not_ready_is_refused_with_the_reason(self, service: Service) -> None:
        spec = {"dataset": "flowers", "architecture": "mlp"}
        assert "not a dataset" in service.faults(spec)["/dataset/name"]
        dataset = _upload(service).json()
        assert "still being checked" in service.faults(spec)["/dataset/name"]
        _finish(service, dataset)
        assert "rose/1.png: It is truncated" in service.faults(spec)["/dataset/name"]

    def test_class_needs_an_image_for_every_split(self, service: Service) -> None:
        _finish(service, _upload(service).json(), ROSES, _class("tulip", 2))
        fault = service.faults({"dataset": "flowers", "architecture": "mlp"})["/dataset/name"]
        assert "at least 3 images each" in fault
        assert "`tulip` has 2" in fault

    def test_own_splits_are_the_default(self, service: Service) -> None:
        classes = _class("rose", 60, 40, 12, 8), _class("tulip", 40, 30, 6, 4)
        _finish(service, _upload(service).json(), *classes)
        dataset = service.job(service.submit(dataset="flowers"))["spec"]["dataset"]
        assert (dataset["train"], dataset["validation"], dataset["test"]) == (70, 18, 12)
        spec = {"dataset": {"name": "flowers", "validation": 19}, "architecture": "mlp"}
        assert "at most 18" in service.faults(spec)["/dataset/validation"]


class TestDelete:
    """Deleting an upload."""

    def test_all_versions_go_with_their_files_and_decoded_images(self, service: Service) -> None:
        _upload(service)
        _upload(service)
        cache = service.settings.home / "cache"
        cache.mkdir(exist_ok=True)
        (cache / "flowers@1-crop-555-8x3.npy").write_bytes(b"x" * 1000)
        (cache / "flowers@10-crop-555-8x3.npy").write_bytes(b"of another version")
        deleted = service.client.delete("/v1/datasets/flowers")
        assert deleted.json()["freed_bytes"] == 2 * len(CONTENT) + 1000
        assert _files(service) == []
        assert [path.name for path in cache.glob("flowers*")] == ["flowers@10-crop-555-8x3.npy"]
        assert service.client.get("/v1/datasets/flowers").status_code == 404

    def test_set_that_a_job_needs_stays(self, service: Service) -> None:
        _finish(service, _upload(service).json(), ROSES, TULIPS)
        job_id = service.submit(dataset="flowers")
        refused = service.client.delete("/v1/datasets/flowers")
        assert refused.status_code == 409
        assert job_id in refused.json()["detail"]
        assert [path.name for path in _files(service)] == ["flowers@1"]
        service.post(f"/v1/jobs/{job_id}/cancel")
        assert service.client.delete("/v1/datasets/flowers").status_code == 200

    def test_built_in_set_stays(self, service: Service) -> None:
        assert service.client.delete("/v1/datasets/digits").status_code == 409
