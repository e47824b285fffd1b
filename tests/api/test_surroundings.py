"""Catalogue, data sets, health, the OpenAPI document and its page."""

import re
from datetime import timedelta

import httpx
import sqlalchemy as sa

from shared import catalog, tables
from shared.clock import now
from shared.jobs import liveness
from tests.api.service import Service


def _work(service: Service) -> None:
    """A worker shows itself."""
    with service.database.write() as connection:
        devices = [{"name": "cpu:0"}, {"name": "cpu:1"}]
        liveness.record_worker(connection, worker="w", host="h", pid=1, devices=devices)


def _ready(service: Service, parts: dict[str, bool]) -> httpx.Response | None:
    """The answer, if that is what it says of the parts."""
    answer = service.client.get("/readyz")
    return answer if answer.json()["parts"] == parts else None


def test_the_catalogue_has_every_slot_with_schemas(service: Service) -> None:
    found = service.client.get("/v1/catalog").json()
    assert set(found) == {*catalog.SLOTS, "metrics"}
    assert found == catalog.load()
    for slot in catalog.SLOTS:
        for entry in found[slot].values():
            assert entry["summary"]
            assert entry["source"]
            assert entry["parameters"]["type"] == "object"
    counts = found["architectures"]["vgg_small"]["parameter_count"]
    assert counts == {"trainable": 2_169_770, "with_statistics": 2_171_178, "reference": 2_171_178}


class TestDatasets:
    def test_a_list_by_name(self, service: Service) -> None:
        first = service.client.get("/v1/datasets", params={"limit": 1}).json()
        rest = service.client.get("/v1/datasets", params={"after": first["data"][0]["id"]}).json()
        names = [one["id"] for one in [*first["data"], *rest["data"]]]
        assert names == ["cifar10", "digits", "fashion-mnist", "synthetic", "table"]
        assert (first["has_more"], rest["has_more"]) == (True, False)

    def test_one(self, service: Service) -> None:
        digits = service.client.get("/v1/datasets/digits").json()
        assert digits["object"] == "dataset"
        assert digits["classes"] == list("0123456789")
        assert digits["is_available"] is True
        assert service.client.get("/v1/datasets/cifar10").json()["is_available"] is False

    def test_a_name_of_nothing(self, service: Service) -> None:
        answer = service.client.get("/v1/datasets/digit")
        assert answer.status_code == 404
        assert "Did you mean `digits`?" in answer.json()["detail"]


class TestHealth:
    def test_alive(self, service: Service) -> None:
        assert service.client.get("/healthz").json() == {"status": "alive"}

    def test_not_ready_says_what_is_missing(self, service: Service) -> None:
        parts = {"database": True, "broker": False, "sidecar": True, "worker": False}
        answer = service.wait_until(
            lambda: _ready(service, parts), "an answer of the sidecar within 1 s"
        )
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        assert answer.headers["content-type"] == "application/problem+json"
        told = answer.json()
        assert (told["status"], told["instance"]) == (503, "/readyz")
        assert told["detail"] == "Not ready: no answer from broker, worker."
        _work(service)
        assert service.client.get("/readyz").json()["parts"]["worker"] is True

    def test_a_worker_not_seen_lately_does_not_count(self, service: Service) -> None:
        _work(service)
        with service.database.write() as connection:
            connection.execute(
                sa.update(tables.workers).values(seen_at=now() - timedelta(seconds=60))
            )
        assert service.client.get("/readyz").json()["parts"]["worker"] is False

    def test_figures_for_prometheus(self, service: Service) -> None:
        _work(service)
        service.start_job()
        service.submit()
        service.submit()
        text = service.client.get("/metrics").text
        figures = dict(re.findall(r"^(trainshed_\S+) (\S+)$", text, re.MULTILINE))
        assert float(figures['trainshed_jobs{state="queued"}']) == 2
        assert float(figures['trainshed_jobs{state="running"}']) == 1
        assert float(figures['trainshed_jobs{state="failed"}']) == 0
        assert float(figures['trainshed_devices{kind="cpu"}']) == 2
        assert float(figures["trainshed_workers"]) == 1


class TestReference:
    def test_the_document_is_openapi_3_1_with_the_specification(self, service: Service) -> None:
        document = service.client.get("/openapi.json").json()
        assert document["openapi"].startswith("3.1")
        body = document["paths"]["/v1/jobs"]["post"]["requestBody"]["content"]["application/json"]
        assert body["schema"] == {"$ref": "#/components/schemas/JobSpec"}
        schemas = document["components"]["schemas"]
        assert schemas["JobSpec"]["required"] == ["dataset", "architecture"]
        text = service.client.get("/openapi.json").text
        for name in re.findall(r'"#/components/schemas/([^"]+)"', text):
            assert name in schemas

    def test_the_page_loads_nothing(self, service: Service) -> None:
        page = service.client.get("/docs")
        assert page.headers["content-type"].startswith("text/html")
        loads = r"<(script|link|img|iframe)|(src|href)=.?(https?:)?//|@import|url\("
        assert not re.search(loads, page.text)
        assert "/v1/jobs/{job_id}/checkpoints" in page.text
