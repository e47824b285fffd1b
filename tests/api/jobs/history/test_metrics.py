"""The metrics of a job, as series and as CSV."""

import csv
import io
import math
from typing import Any

import pytest

from shared.jobs.attempts import Lease
from tests.api.service import Service, metric_row


def _series(service: Service, lease: Lease, **params: Any) -> list[dict[str, Any]]:
    response = service.client.get(f"/v1/jobs/{lease.job_id}/metrics", params=params)
    return response.raise_for_status().json()["data"]


@pytest.fixture
def lease(service: Service) -> Lease:
    """Start a job and record two series of ten points."""
    lease = service.start_job()
    rows = [
        metric_row(name, step, step / 100)
        for step in range(10, 110, 10)
        for name in ("train_loss", "val_loss")
    ]
    service.record(lease, metrics=rows)
    return lease


def test_series_have_every_point_in_order(service: Service, lease: Lease) -> None:
    data = _series(service, lease)
    assert [(series["name"], series["split"], series["stage"]) for series in data] == [
        ("train_loss", "train", "training"),
        ("val_loss", "validation", "training"),
    ]
    assert [point["step"] for point in data[0]["points"]] == list(range(10, 110, 10))
    assert data[0]["points"][0] == {
        "step": 10,
        "epoch": 1,
        "value": 0.1,
        "at": "2026-01-02T03:04:05.678Z",
    }


def test_filters(service: Service, lease: Lease) -> None:
    def names(**params: Any) -> list[str]:
        return [series["name"] for series in _series(service, lease, **params)]

    assert names(name="val_loss") == ["val_loss"]
    assert names(split="train") == ["train_loss"]
    assert names(stage="another") == []
    later = _series(service, lease, after_step=80, name="val_loss")
    assert [point["step"] for point in later[0]["points"]] == [90, 100]
    (part,) = _series(service, lease, from_epoch=3, to_epoch=5, name="val_loss")
    assert [point["epoch"] for point in part["points"]] == [3, 4, 5]
    (part,) = _series(service, lease, from_epoch=3, to_epoch=9, points=2, name="val_loss")
    assert [point["epoch"] for point in part["points"]] == [3, 4, 9]
    assert names(from_epoch=11) == []
    assert names(from_epoch=4, to_epoch=4) == ["train_loss", "val_loss"]


def test_epochs_that_end_before_they_begin_are_refused(service: Service, lease: Lease) -> None:
    address = f"/v1/jobs/{lease.job_id}/metrics"
    answer = service.client.get(address, params={"from_epoch": 5, "to_epoch": 4})
    assert answer.status_code == 422
    detail = "is 4; it must be at least `from_epoch`, which is 5"
    assert answer.json()["errors"] == [{"pointer": "/query/to_epoch", "detail": detail}]


def test_thinning_keeps_the_first_the_last_the_lowest_and_the_highest_point(
    service: Service, lease: Lease
) -> None:
    values = [5.0, 4.0, 9.0, 3.0, 0.5, 2.0, 7.0, 1.0]
    rows = [metric_row("val_loss", 200 + 10 * n, value) for n, value in enumerate(values)]
    service.record(lease, metrics=rows)
    (series,) = _series(service, lease, points=4, name="val_loss", after_step=199)
    assert [point["step"] for point in series["points"]] == [200, 220, 240, 270]
    (whole,) = _series(service, lease, points=8, name="val_loss", after_step=199)
    assert [point["value"] for point in whole["points"]] == values


def test_values_that_are_not_finite_are_strings(service: Service, lease: Lease) -> None:
    values = {110: math.nan, 120: math.inf, 130: -math.inf}
    service.record(
        lease, metrics=[metric_row("train_loss", step, value) for step, value in values.items()]
    )
    data = _series(service, lease, name="train_loss", after_step=100)
    assert [point["value"] for point in data[0]["points"]] == ["nan", "inf", "-inf"]


def test_csv_by_format_and_by_accept_header(service: Service, lease: Lease) -> None:
    address = f"/v1/jobs/{lease.job_id}/metrics"
    by_format = service.client.get(address, params={"format": "csv", "after_step": 90})
    by_header = service.client.get(
        address, params={"after_step": 90}, headers={"Accept": "text/csv"}
    )
    assert by_format.headers["content-type"].startswith("text/csv")
    assert by_format.content == by_header.content
    rows = list(csv.DictReader(io.StringIO(by_format.text)))
    assert [(row["name"], row["step"], row["value"]) for row in rows] == [
        ("train_loss", "100", "1.0"),
        ("val_loss", "100", "1.0"),
    ]


@pytest.mark.parametrize("query", ["points=1", "points=x", "after_step=-1", "split=x", "name=%00"])
def test_invalid_parameters_are_refused(service: Service, lease: Lease, query: str) -> None:
    response = service.client.get(f"/v1/jobs/{lease.job_id}/metrics?{query}")
    assert response.status_code in {400, 422}
