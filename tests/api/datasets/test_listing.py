"""Lists of data sets and of their versions; damaged rows in them."""

from typing import Any

import pytest
import sqlalchemy as sa

from shared import tables, uploaded_datasets
from tests.api.datasets.recorded_checks import ROSES, TULIPS, finish, report_of, store
from tests.api.service import Service


def test_uploads_are_listed_with_the_built_in_sets_by_their_newest_version(
    service: Service,
) -> None:
    store(service)
    store(service)
    store(service, "birds")
    names, after = [], None
    while True:
        query = {"limit": 1} | ({"after": after} if after else {})
        page = service.client.get("/v1/datasets", params=query).json()
        names += [(dataset["name"], dataset["version"]) for dataset in page["data"]]
        if not page["has_more"]:
            break
        after = page["data"][-1]["id"]
    assert names[:4] == [("birds", 1), ("cifar10", None), ("digits", None), ("fashion-mnist", None)]
    assert names[4:] == [("flowers", 2), ("synthetic", None), ("table", None)]


def test_built_in_sets_and_uploads_have_the_same_fields(service: Service) -> None:
    store(service)
    finish(service, store(service, "birds").json(), ROSES, TULIPS)
    finish(service, store(service, "stones").json())
    listed = service.client.get("/v1/datasets").json()["data"]
    assert {dataset["state"] for dataset in listed} == {"checking", "ready", "rejected"}
    assert len({tuple(sorted(dataset)) for dataset in listed}) == 1


def test_versions_are_listed_page_by_page(service: Service) -> None:
    uploaded = [store(service).json() for _ in range(5)]
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
    other = store(service, "birds").json()["id"]
    assert service.client.get(address, params={"after": other}).status_code == 400
    for text in ("digits", "ds_", "", "x" * 200):
        assert service.client.get(address, params={"after": text}).status_code == 400
    assert service.client.get("/v1/datasets", params={"after": "dig"}).status_code == 400


def test_error_for_an_unknown_version_names_the_versions(service: Service) -> None:
    store(service)
    store(service)
    for reference in ("flowers@3", "flowers@0", "flowers@x"):
        response = service.client.get(f"/v1/datasets/{reference}")
        assert response.status_code == 404
        assert "flowers@2, flowers@1" in response.json()["detail"]


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
    finish(service, store(service).json(), ROSES, TULIPS)
    damaged = store(service).json()
    finish(service, damaged, ROSES, TULIPS)
    finish(service, store(service, "birds").json(), ROSES, TULIPS)
    finish(service, store(service, "zebras").json(), ROSES, TULIPS)
    report = report_of(ROSES, TULIPS) | damage if damage else {}
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
    damaged, whole = store(service).json(), store(service).json()
    rows = tables.datasets.c
    with service.database.write() as connection:
        update = sa.update(tables.datasets).where(rows.id == damaged["id"])
        connection.execute(update.values(bytes=-1))
    with service.database.read() as connection:
        assert uploaded_datasets.unchecked(connection) == [whole["id"]]
