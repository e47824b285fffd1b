"""Requests for analyses, as tests send them."""

from typing import Any

from shared.jobs.attempts import Lease
from tests.api.service import Service

REQUEST = {"kind": "curvature"}


def request(service: Service, lease: Lease, **fields: Any) -> dict[str, Any]:
    """Request an analysis and return it."""
    response = service.post(f"/v1/jobs/{lease.job_id}/analyses", {**REQUEST, **fields})
    assert response.status_code in {200, 202}, response.text
    assert response.headers["location"] == f"/v1/analyses/{response.json()['id']}"
    return response.json()


def faults(service: Service, lease: Lease, body: Any) -> dict[str, str]:
    """Send a request that must be refused; return its faults by pointer."""
    response = service.post(f"/v1/jobs/{lease.job_id}/analyses", body)
    assert response.status_code == 422, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert service.rows()["jobs"] == 1
    return {fault["pointer"]: fault["detail"] for fault in response.json()["errors"]}


def read(service: Service, analysis_id: str, **query: Any) -> dict[str, Any]:
    path = f"/v1/analyses/{analysis_id}"
    return service.client.get(path, params=query).raise_for_status().json()
