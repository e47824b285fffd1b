"""Metrics as series, and logs."""

import csv
import io
import math
from typing import Any

import pytest

from shared.jobs.attempts import Lease
from tests.api.service import Service, metric_row


def _series(service: Service, lease: Lease, **params: Any) -> list[dict[str, Any]]:
    answer = service.client.get(f"/v1/jobs/{lease.job_id}/metrics", params=params)
    return answer.raise_for_status().json()["data"]


@pytest.fixture
def lease(service: Service) -> Lease:
    """A job with two series of ten points."""
    lease = service.start_job()
    rows = [
        metric_row(name, step, step / 100)
        for step in range(10, 110, 10)
        for name in ("train_loss", "val_loss")
    ]
    service.record(lease, metrics=rows)
    return lease


def test_series_have_every_point_in_order(service: Service, lease: Lease) -> None:
    found = _series(service, lease)
    assert [(one["name"], one["split"], one["stage"]) for one in found] == [
        ("train_loss", "train", "training"),
        ("val_loss", "validation", "training"),
    ]
    assert [point["step"] for point in found[0]["points"]] == list(range(10, 110, 10))
    assert found[0]["points"][0] == {
        "step": 10,
        "epoch": 1,
        "value": 0.1,
        "at": "2026-01-02T03:04:05.678Z",
    }


def test_filters(service: Service, lease: Lease) -> None:
    assert [one["name"] for one in _series(service, lease, name="val_loss")] == ["val_loss"]
    assert [one["name"] for one in _series(service, lease, split="train")] == ["train_loss"]
    assert _series(service, lease, stage="another") == []
    later = _series(service, lease, after_step=80, name="val_loss")
    assert [point["step"] for point in later[0]["points"]] == [90, 100]


def test_thinning_keeps_the_ends(service: Service, lease: Lease) -> None:
    for one in _series(service, lease, points=4):
        assert [point["step"] for point in one["points"]] == [10, 40, 70, 100]
    assert all(len(one["points"]) == 10 for one in _series(service, lease, points=10))


def test_what_is_not_finite_is_said_in_words(service: Service, lease: Lease) -> None:
    values = {110: math.nan, 120: math.inf, 130: -math.inf}
    service.record(lease, metrics=[metric_row("train_loss", at, v) for at, v in values.items()])
    found = _series(service, lease, name="train_loss", after_step=100)
    assert [point["value"] for point in found[0]["points"]] == ["nan", "inf", "-inf"]


def test_as_csv(service: Service, lease: Lease) -> None:
    at = f"/v1/jobs/{lease.job_id}/metrics"
    asked = service.client.get(at, params={"format": "csv", "after_step": 90})
    accepted = service.client.get(at, params={"after_step": 90}, headers={"Accept": "text/csv"})
    assert asked.headers["content-type"].startswith("text/csv")
    assert asked.content == accepted.content
    rows = list(csv.DictReader(io.StringIO(asked.text)))
    assert [(row["name"], row["step"], row["value"]) for row in rows] == [
        ("train_loss", "100", "1.0"),
        ("val_loss", "100", "1.0"),
    ]


@pytest.mark.parametrize("query", ["points=1", "points=x", "after_step=-1", "split=x", "name=%00"])
def test_a_parameter_that_is_none_is_refused(service: Service, lease: Lease, query: str) -> None:
    answer = service.client.get(f"/v1/jobs/{lease.job_id}/metrics?{query}")
    assert answer.status_code in {400, 422}


class TestLogs:
    def _log(self, service: Service, lease: Lease, content: bytes, attempt: int = 1) -> str:
        path = service.storage.log(lease.job_id, attempt)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return f"/v1/jobs/{lease.job_id}/logs"

    def test_what_could_fool_a_terminal_is_written_out(self, service: Service) -> None:
        at = self._log(service, service.start_job(), b"a\x1b[31mred\r\n\x00\xff \xc2\x9b")
        answer = service.client.get(at)
        assert answer.text == "a\\x1b[31mred\\x0d\n\\x00\ufffd \\x9b"
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert answer.headers["x-content-type-options"] == "nosniff"

    def test_the_end_of_it(self, service: Service) -> None:
        at = self._log(service, service.start_job(), b"0123456789" * 10_000)
        assert service.client.get(at, params={"tail": 4}).text == "6789"
        assert len(service.client.get(at).text) == 65_536
        assert service.client.get(at, params={"tail": 0}).status_code == 422

    def test_of_each_attempt(self, service: Service) -> None:
        lease = service.start_job()
        at = self._log(service, lease, b"first")
        service.stop(lease)
        assert service.claim().attempt == 2
        self._log(service, lease, b"second", attempt=2)
        assert service.client.get(at).text == "second"
        assert service.client.get(at, params={"attempt": 1}).text == "first"
        assert service.client.get(at, params={"attempt": 3}).status_code == 404

    def test_a_job_that_never_ran_has_an_empty_one(self, service: Service) -> None:
        assert service.client.get(f"/v1/jobs/{service.submit()}/logs").text == ""
