"""Metrics with strange names and values, and very many of them: answers stay valid and bounded."""

import json
import math
from typing import Any

import pytest

from tests.api.service import Service, metric_row

#: Of at most 64 characters, as the column holds.
NAMES = [
    "a" * 64,
    "😀" * 64,
    "\u202edlrow",
    "../../x",
    "%s{}$(id)",
    "' OR 1=1 --",
    "a\nb",
    "<b>",
]


def get(service: Service, job_id: str, part: str, **params: Any) -> Any:
    response = service.client.get(f"/v1/jobs/{job_id}{part}", params=params)
    assert response.status_code == 200, response.text
    return json.loads(response.text, parse_constant=pytest.fail)


def test_strange_names_and_values_are_returned_as_valid_json(service: Service) -> None:
    lease = service.start_job()
    values = [math.nan, math.inf, -math.inf, 1e308, -0.0, 5e-324]
    service.record(
        lease,
        metrics=[
            metric_row(name, step, value)
            for name in NAMES
            for step, value in enumerate(values, start=1)
        ],
    )
    series = get(service, lease.job_id, "/metrics")["data"]
    assert {each["name"] for each in series} == set(NAMES)
    assert all(len(each["points"]) == len(values) for each in series)
    assert get(service, lease.job_id, "")["state"] == "running"
    assert get(service, lease.job_id, "/metrics", name="%s{}$(id)")["data"]
    text = service.client.get(f"/v1/jobs/{lease.job_id}/metrics", headers={"Accept": "text/csv"})
    assert text.status_code == 200


def test_many_names_leave_lists_and_other_jobs_alone(service: Service) -> None:
    lease = service.start_job()
    for start in range(0, 20_000, 5_000):
        names = [f"name_{number}" for number in range(start, start + 5_000)]
        service.record(lease, metrics=[metric_row(name, 1, 0.5) for name in names])
    other = service.submit()
    assert get(service, other, "")["metrics"] == {}
    assert len(get(service, lease.job_id, "/metrics", name="name_7")["data"]) == 1
    page = service.client.get("/v1/jobs")
    assert page.status_code == 200
    assert get(service, lease.job_id, "")["state"] == "running"
