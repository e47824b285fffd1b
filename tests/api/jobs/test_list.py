"""`GET /v1/jobs`: pages and filters."""

import pytest
import sqlalchemy as sa

from shared import tables
from shared.ids import new_id
from tests.api.service import Service


def test_jobs_are_listed_newest_first_in_pages(service: Service) -> None:
    ids = [service.submit() for _ in range(5)]
    listed, after = [], {}
    for _ in range(10):
        page = service.client.get("/v1/jobs", params={"limit": 2, **after}).json()
        assert page["object"] == "list"
        listed += [job["id"] for job in page["data"]]
        if not page["has_more"]:
            break
        after = {"after": page["data"][-1]["id"]}
    assert listed == ids[::-1]


def test_filters(service: Service) -> None:
    running = service.start_job(tags={"group": "vision", "n": "1"}).job_id
    other = service.submit(dataset="synthetic", tags={"group": "text"})

    def listed(**params: str) -> list[str]:
        response = service.client.get("/v1/jobs", params=params).raise_for_status()
        return [job["id"] for job in response.json()["data"]]

    assert listed(state="running") == [running]
    assert listed(state="queued") == [other]
    assert listed(dataset="synthetic") == [other]
    assert listed(owner="admin") == [other, running]
    assert listed(owner="nobody") == []
    assert listed(tag="group") == [other, running]
    assert listed(tag="group:vision") == [running]
    assert listed(tag="group:vision", state="queued") == []
    assert listed(sweep="sweep_x") == []
    assert listed(tag="' OR 1=1 --") == []


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=101", "limit=x", "state=asleep", "after=%00", "tag=%0a", "limit=1e2"],
)
def test_invalid_parameters_are_refused(service: Service, query: str) -> None:
    response = service.client.get(f"/v1/jobs?{query}")
    assert response.status_code in {400, 422}
    assert response.headers["content-type"] == "application/problem+json"


def test_cursor_of_a_deleted_job_keeps_its_place(service: Service) -> None:
    older = service.submit()
    deleted = new_id("job")
    service.submit()
    page = service.client.get("/v1/jobs", params={"after": deleted}).json()["data"]
    assert [job["id"] for job in page] == [older]


def test_jobs_are_found_by_their_name_or_the_beginning_of_their_id(service: Service) -> None:
    first = service.submit(name="deep")
    second, other = service.submit(name="deep"), service.submit(name="deeper")

    def found(named: str) -> list[str]:
        page = service.client.get("/v1/jobs", params={"named": named}).raise_for_status().json()
        return [job["id"] for job in page["data"]]

    assert found("deep") == [second, first]
    assert found(other) == found(other[:-1]) == [other]
    assert found("job_") == [other, second, first]
    assert found("dee") == found("Deep") == found("job_%") == found("job_z") == []


def test_name_of_an_upload_stands_for_all_its_versions(service: Service) -> None:
    versions = ("flowers@1", "flowers@2", "flowers_2@1", "flowers2@1")
    ids = {name: service.submit() for name in versions}
    with service.database.write() as connection:
        for name, job_id in ids.items():
            change = sa.update(tables.jobs).where(tables.jobs.c.id == job_id)
            connection.execute(change.values(dataset=name))

    def listed(dataset: str) -> list[str]:
        response = service.client.get("/v1/jobs", params={"dataset": dataset})
        return [job["id"] for job in response.json()["data"]]

    assert listed("flowers") == [ids["flowers@2"], ids["flowers@1"]]
    assert listed("flowers@1") == [ids["flowers@1"]]
    assert listed("flowers_2") == [ids["flowers_2@1"]]
    assert listed("flower") == []
