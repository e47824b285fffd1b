"""Errors of addresses: unknown ids, unknown addresses and methods that are not allowed."""

import pytest

from tests.api.service import SPEC, Service


@pytest.mark.parametrize(
    "job_id", ["x", "job_", "job_" + "!" * 26, "..%2f..", "job_" + "0" * 26, "ckpt_" + "0" * 26]
)
def test_unknown_job_is_not_found(service: Service, job_id: str) -> None:
    for path in ("", "/events", "/metrics", "/logs", "/checkpoints", "/artifacts", "/top-k"):
        assert service.client.get(f"/v1/jobs/{job_id}{path}").status_code == 404
    for path in ("/cancel", "/retry"):
        assert service.post(f"/v1/jobs/{job_id}{path}").status_code == 404


def test_unknown_address_is_not_found(service: Service) -> None:
    response = service.client.get("/v1/nothing")
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"


def test_method_that_is_not_allowed_is_refused_with_the_allowed_methods(service: Service) -> None:
    for method, path in (("PUT", "/v1/jobs"), ("TRACE", "/v1/jobs"), ("DELETE", "/v1/catalog")):
        response = service.client.request(method, path)
        assert response.status_code == 405
        assert response.json()["status"] == 405
    response = service.client.delete("/v1/jobs")
    assert response.headers["allow"] == "GET, HEAD, POST, OPTIONS"
    assert (
        response.json()["detail"]
        == "DELETE is not allowed here; allowed: GET, HEAD, POST, OPTIONS."
    )


def test_method_override_header_is_ignored(service: Service) -> None:
    override = {"X-HTTP-Method-Override": "DELETE"}
    job_id = service.submit()
    assert service.client.get(f"/v1/jobs/{job_id}", headers=override).status_code == 200
    assert SPEC["dataset"] == service.job(job_id)["spec"]["dataset"]["name"]
