"""`GET /v1/compare`: differences and metrics of several jobs."""

import math
from typing import Any

import pytest

from shared.ids import new_id
from tests.api.service import Service, metric_row


def _job(service: Service, metrics: dict[str, list[float]], **changes: Any) -> str:
    """Run a job that records these values, one an epoch."""
    lease = service.start_job(**changes)
    rows = [
        metric_row(name, 10 * epoch, value)
        for name, values in metrics.items()
        for epoch, value in enumerate(values, start=1)
    ]
    latest = {
        name: values[-1] if math.isfinite(values[-1]) else "nan" for name, values in metrics.items()
    }
    service.record(lease, metrics=rows, latest=latest)
    service.succeed(lease)
    return lease.job_id


def _compare(service: Service, *ids: str) -> dict[str, Any]:
    response = service.client.get("/v1/compare", params={"jobs": ",".join(ids)})
    return response.raise_for_status().json()


def test_jobs_are_compared_by_their_best_values_and_differences(service: Service) -> None:
    curves = {
        "val_accuracy": [0.5, 0.9, 0.8],
        "val_loss": [2.0, 0.5, 0.7],
        "learning_rate": [1, 2, 3],
    }
    first = _job(service, curves, name="first", seed=1)
    curves = {"val_accuracy": [0.6, 0.7], "val_loss": [1.0, 0.4]}
    second = _job(service, curves, name="second", optimizer={"name": "sgd", "learning_rate": 0.5})
    found = _compare(service, first, second)
    assert found["object"] == "comparison"
    assert [job["name"] for job in found["jobs"]] == ["first", "second"]
    assert found["differences"] == [
        {"pointer": "/optimizer/learning_rate", "values": {first: 0.01, second: 0.5}},
        {"pointer": "/seed", "values": {first: 1, second: 0}},
    ]
    metrics = {metric["name"]: metric for metric in found["metrics"]}
    assert [*metrics] == ["val_accuracy", "val_loss", "learning_rate"]
    assert metrics["val_accuracy"] == {
        "name": "val_accuracy",
        "split": "validation",
        "unit": "fraction",
        "direction": "higher",
        "values": {
            first: {"final": 0.8, "best": 0.9, "best_epoch": 2, "best_step": 20},
            second: {"final": 0.7, "best": 0.7, "best_epoch": 2, "best_step": 20},
        },
        "better": [first],
    }
    assert metrics["val_loss"]["better"] == [second]
    rate = metrics["learning_rate"]
    assert rate["values"][first] == {
        "final": 3,
        "best": None,
        "best_epoch": None,
        "best_step": None,
    }
    assert second not in rate["values"]
    assert rate["better"] == []


def test_values_that_are_not_finite_are_never_best_and_ties_name_all(service: Service) -> None:
    first = _job(service, {"val_loss": [math.nan, 3.0, math.inf], "val_accuracy": [0.5]})
    second = _job(service, {"val_loss": [-math.inf, math.nan], "val_accuracy": [0.5]})
    third = _job(service, {"val_loss": [3.0, 3.0], "val_accuracy": [0.4]})
    metrics = {m["name"]: m for m in _compare(service, first, second, third)["metrics"]}
    loss = metrics["val_loss"]["values"]
    assert loss[first] == {"final": "nan", "best": 3.0, "best_epoch": 2, "best_step": 20}
    assert loss[second]["best"] is None
    assert loss[third]["best_epoch"] == 1, "of equal values the first"
    assert metrics["val_loss"]["better"] == []
    assert metrics["val_accuracy"]["better"] == [first, second]


def test_a_job_that_waits_is_compared_by_its_specification(service: Service) -> None:
    waiting, other = service.submit(seed=3), service.submit(seed=4)
    found = _compare(service, waiting, other)
    assert found["metrics"] == []
    assert [each["pointer"] for each in found["differences"]] == ["/seed"]


@pytest.mark.parametrize(
    ("jobs", "detail"),
    [
        ("", "is no id of a job"),
        ("{0}", "names 1 job"),
        ("{0},{0}", "twice"),
        ("{0},{1},", "is no id of a job"),
        ("{0},../x", "is no id of a job"),
        ("ana_01m8dqd38hq7myqr87afga15v9,{0}", "is no id of a job"),
    ],
)
def test_wrong_lists_of_jobs_are_refused(service: Service, jobs: str, detail: str) -> None:
    ids = [service.submit(), service.submit()]
    response = service.client.get("/v1/compare", params={"jobs": jobs.format(*ids)})
    assert response.status_code == 422
    (error,) = response.json()["errors"]
    assert error["pointer"] == "/query/jobs"
    assert detail in error["detail"]


def test_more_than_ten_jobs_are_refused_and_unknown_jobs_are_not_found(service: Service) -> None:
    many = ",".join(new_id("job") for _ in range(11))
    response = service.client.get("/v1/compare", params={"jobs": many})
    assert response.status_code == 422
    assert "it names 11 job(s); name 2 to 10" in response.text
    known, unknown = service.submit(), new_id("job")
    response = service.client.get("/v1/compare", params={"jobs": f"{known},{unknown}"})
    assert response.status_code == 404
    assert unknown in response.json()["detail"]
    assert service.client.get("/v1/compare").status_code == 422
