"""Pictures of samples, lists of mistakes and of the samples of a cell."""

import base64
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import sqlalchemy as sa

from shared import predictions, tables
from shared.jobs import queries
from shared.jobs.attempts import Lease
from shared.jobs.recording import NewEvaluation
from shared.predictions import Prediction
from tests.api.jobs.results.files import evaluate, evaluation_data
from tests.api.service import Service

PNG = b"\x89PNG made by the sidecar"
CLASSES = ["cat/dog", "..", "\x1b[31m1", "1"]
NAN = float("nan")
#: Samples of label 0 that are predicted as 1 with these probabilities, then one of label 3.
PROBABILITIES = [0.5, 0.9, NAN, 0.7]


@pytest.fixture
def address(service: Service, lease: Lease) -> str:
    """Return the address of a job whose best checkpoint has been tested."""
    service.sidecar.respond = lambda _: {"ok": True, "png": base64.b64encode(PNG).decode()}
    listed = service.client.get(f"/v1/jobs/{lease.job_id}/checkpoints").json()["data"]
    best = next(row["id"] for row in listed if row["name"] == "best_val_loss")
    path = service.storage.results(lease.job_id) / "best.bin"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [Prediction(100 + n, 0, (1, 0), (p, 0.1)) for n, p in enumerate(PROBABILITIES)]
    predictions.write(path, [*rows, Prediction(200, 3, (3, 0), (0.8, 0.1))])
    evaluation = NewEvaluation(
        checkpoint_id=best,
        split="test",
        data=evaluation_data(classes=CLASSES, confusion=[[0] * 4] * 4),
        predictions=service.storage.relative(path),
    )
    service.record(lease, evaluations=[evaluation])
    return f"/v1/jobs/{lease.job_id}"


def samples_of(response: httpx.Response) -> list[int]:
    assert response.status_code == 200, response.text
    return [sample["sample"] for sample in response.json()["data"]]


def change_spec(service: Service, address: str, **dataset: Any) -> None:
    job_id = address.rpartition("/")[2]
    with service.database.write() as connection:
        job = queries.get_job(connection, job_id)
        assert job is not None
        spec = {**job.spec, "dataset": {**job.spec["dataset"], **dataset}}
        of_job = tables.jobs.c.id == job_id
        connection.execute(sa.update(tables.jobs).where(of_job).values(spec=spec))


class TestPicture:
    def test_picture_of_a_sample_is_drawn_from_the_job_s_data_set(
        self, service: Service, address: str
    ) -> None:
        response = service.client.get(f"{address}/top-k/samples/101.png")
        assert (response.content, response.headers["content-type"]) == (PNG, "image/png")
        request = service.sidecar.requests[-1]
        assert (request["operation"], request["title"]) == ("tested_samples", None)
        assert request["samples"] == [{"sample": 101}]
        assert request["dataset"] == service.client.get(address).json()["spec"]["dataset"]

    def test_client_that_has_the_picture_gets_304_without_the_sidecar(
        self, service: Service, address: str
    ) -> None:
        url = f"{address}/top-k/samples/101.png"
        etag = service.client.get(url).headers["etag"]
        drawn = len(service.sidecar.requests)
        response = service.client.get(url, headers={"If-None-Match": etag})
        assert (response.status_code, response.headers["etag"]) == (304, etag)
        assert len(service.sidecar.requests) == drawn
        other = service.client.get(f"{address}/top-k/samples/102.png").headers["etag"]
        assert other != etag

    def test_sample_of_another_split_is_not_found(self, service: Service, address: str) -> None:
        response = service.client.get(f"{address}/top-k/samples/7.png")
        assert response.status_code == 404
        assert "test split" in response.json()["detail"]
        for index in ("-1", "x", "1.5"):
            response = service.client.get(f"{address}/top-k/samples/{index}.png")
            assert response.status_code == 422, index


class TestLists:
    def test_most_confident_mistakes_come_first_on_every_page(
        self, service: Service, address: str
    ) -> None:
        first = service.client.get(f"{address}/top-k/mistakes", params={"limit": 3})
        assert samples_of(first) == [101, 103, 100]
        assert first.json()["has_more"] is True
        rest = service.client.get(f"{address}/top-k/mistakes", params={"after": 3})
        assert (samples_of(rest), rest.json()["has_more"]) == ([102], False)

    @pytest.mark.parametrize("names", [("cat/dog", ".."), ("0", "1_"), (0, 1)])
    def test_cell_is_named_by_classes_or_their_numbers(
        self, service: Service, address: str, names: tuple[Any, Any]
    ) -> None:
        true, predicted = (quote(str(name), safe="").replace(".", "%2E") for name in names)
        response = service.client.get(f"{address}/confusion/{true}/{predicted}")
        if names == ("0", "1_"):
            assert response.status_code == 404
            assert "or a number from 0 to 3" in response.json()["detail"]
        elif names == (0, 1):
            # `1` is the name of the last class, and no sample of label 0 is predicted as it.
            assert samples_of(response) == []
        else:
            assert samples_of(response) == [101, 103, 100]

    def test_cell_does_not_count_scores_that_are_not_finite(
        self, service: Service, address: str
    ) -> None:
        listed = samples_of(service.client.get(f"{address}/confusion/0/%2E%2E"))
        assert 102 not in listed

    def test_unknown_class_is_named_without_its_control_characters(
        self, service: Service, address: str
    ) -> None:
        response = service.client.get(f"{address}/confusion/%1B%5B31m/0")
        assert response.status_code == 404
        assert "\\u001b[31m" in response.json()["detail"].partition(".")[0]


class TestSheet:
    def test_sheet_has_the_samples_of_the_page(self, service: Service, address: str) -> None:
        url = f"{address}/top-k/mistakes"
        response = service.client.get(url, params={"format": "sheet", "after": 2, "limit": 5})
        assert (response.content, response.headers["content-type"]) == (PNG, "image/png")
        request = service.sidecar.requests[-1]
        assert request["title"] == "Most confident mistakes, best_val_loss, 3 to 4 of 4"
        assert request["classes"] == CLASSES
        assert [sample["sample"] for sample in request["samples"]] == [100, 102]
        assert (request["samples"][1]["predicted"], request["samples"][1]["probability"]) == (
            None,
            None,
        )

    def test_sheet_of_an_empty_cell_says_so(self, service: Service, address: str) -> None:
        response = service.client.get(f"{address}/confusion/3/0", params={"format": "sheet"})
        assert response.status_code == 200
        assert service.sidecar.requests[-1]["title"].endswith("0 of 0")

    def test_data_set_that_is_gone_is_a_conflict_with_the_reason(
        self, service: Service, address: str
    ) -> None:
        fault = {"pointer": "/dataset/name", "detail": "flowers@1 was deleted."}
        service.sidecar.respond = lambda _: {"ok": False, "faults": [fault]}
        response = service.client.get(f"{address}/top-k/samples/101.png")
        assert (response.status_code, response.json()["detail"]) == (409, fault["detail"])
        assert response.json()["type"].endswith("dataset-missing")

    def test_busy_sidecar_is_unavailable(self, service: Service, address: str) -> None:
        service.sidecar.respond = lambda _: {"ok": False, "busy": "Try again."}
        assert service.client.get(f"{address}/top-k/samples/101.png").status_code == 503

    def test_rows_of_a_table_are_listed_but_have_no_pictures(
        self, service: Service, address: str
    ) -> None:
        change_spec(service, address, name="table", file="a.csv", features=["a"])
        url = f"{address}/top-k/mistakes"
        assert len(samples_of(service.client.get(url))) == 4
        for path in ("top-k/mistakes?format=sheet", "top-k/samples/101.png"):
            response = service.client.get(f"{address}/{path}")
            assert response.status_code == 409
            assert "no pictures" in response.json()["detail"]


def test_jobs_without_test_results_are_a_conflict_as_for_top_k(
    service: Service, lease: Lease
) -> None:
    for path in ("top-k/samples/1.png", "top-k/mistakes", "confusion/0/1"):
        response = service.client.get(f"/v1/jobs/{lease.job_id}/{path}")
        assert response.status_code == 409
        assert "no test results yet" in response.json()["detail"]


def test_regression_has_no_pictures_of_results(service: Service, lease: Lease) -> None:
    evaluate(service, lease)
    with service.database.write() as connection:
        job = queries.get_job(connection, lease.job_id)
        assert job is not None
        spec = {**job.spec, "loss": {"name": "l2"}}
        of_job = tables.jobs.c.id == lease.job_id
        connection.execute(sa.update(tables.jobs).where(of_job).values(spec=spec))
    for path in ("top-k/samples/1.png", "top-k/mistakes", "confusion/0/1?format=sheet"):
        response = service.client.get(f"/v1/jobs/{lease.job_id}/{path}")
        assert response.status_code == 409
        assert "regression" in response.json()["detail"]
