"""Series read in pages equal series read at once, and take bounded memory."""

import csv
import io
import tracemalloc
from collections import defaultdict
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.jobs.history import series
from api.services.outlines import Outlines
from shared import tables
from shared.jobs import series as stored_series
from shared.jobs.attempts import Lease
from shared.jobs.recording import NewMetric
from tests.api.service import RECORDED_AT, Service, metric_row

METRIC_NAMES = ("train_loss", "val_loss", "learning_rate")
RECORDED_AT_JSON = "2026-01-02T03:04:05.678Z"
#: SQLite has no negative zero.
VALUES = st.floats(width=32).map(lambda value: value + 0.0)
NOT_FINITE = {"nan": "nan", "inf": "inf", "-inf": "-inf"}


@st.composite
def recorded_rows(draw: st.DrawFn) -> list[NewMetric]:
    """Draw what a job records: some metrics at each step, in one or two stages."""
    rows: list[NewMetric] = []
    step = 0
    for stage in ("warm_up", "fine_tune")[: draw(st.integers(1, 2))]:
        epochs = draw(st.sampled_from([20, 7, 1, 0]))
        names = st.sets(st.sampled_from(METRIC_NAMES), min_size=1)
        for names_of_epoch in draw(st.lists(names, min_size=epochs, max_size=epochs)):
            step += draw(st.integers(1, 9))
            values = draw(st.lists(VALUES, min_size=3, max_size=3))
            points = zip(sorted(names_of_epoch), values, strict=False)
            rows += [metric_row(name, step, value, stage=stage) for name, value in points]
    return rows


@st.composite
def query_parameters(draw: st.DrawFn) -> dict[str, Any]:
    """Draw the parameters of a request."""
    filters = {
        "after_step": st.integers(0, 60),
        "name": st.sampled_from(METRIC_NAMES),
        "split": st.sampled_from(["train", "validation", "test"]),
        "stage": st.sampled_from(["warm_up", "fine_tune"]),
    }
    names = draw(st.lists(st.sampled_from(sorted(filters)), max_size=2, unique=True))
    query: dict[str, Any] = {name: draw(filters[name]) for name in names}
    max_points = draw(st.sampled_from([3, None, 2, 5, 8]))
    return query if max_points is None else {**query, "points": max_points}


def expected_series(rows: list[NewMetric], **query: Any) -> list[dict[str, Any]]:
    """Return the response, computed in the simplest way."""
    points_by_series: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        fields = {"name": row.name, "split": row.split, "stage": row.stage}
        is_selected = {**fields, **query}.items() >= fields.items()
        if is_selected and row.step > query.get("after_step", -1):
            value = NOT_FINITE.get(str(row.value), row.value)
            point = {"step": row.step, "epoch": row.epoch, "value": value, "at": RECORDED_AT_JSON}
            points_by_series[row.name, row.split, row.stage].append(point)
    return [
        {"name": name, "split": split, "stage": stage, "points": _thinned(points, query)}
        for (name, split, stage), points in points_by_series.items()
    ]


def _thinned(points: list[Any], query: dict[str, Any]) -> list[Any]:
    """Keep first, last, and of each part the lowest, the highest and the first not finite."""
    about, count = query.get("points"), len(points)
    if about is None or count <= about:
        return points
    parts = max(1, (about - 2) // 2)
    kept = {0, count - 1}
    for part in range(parts):
        numbers = [n for n in range(1, count) if (n - 1) * parts // (count - 1) == part]
        finite = [n for n in numbers if not isinstance(points[n]["value"], str)]
        kept |= {*[n for n in numbers if n not in finite][:1]}
        if finite:
            kept.add(min(finite, key=lambda n: points[n]["value"]))
            kept.add(max(finite, key=lambda n: points[n]["value"]))
    return [points[number] for number in sorted(kept)]


def _csv_line(of: dict[str, Any], point: dict[str, Any]) -> dict[str, str]:
    line = {"name": of["name"], "split": of["split"], "stage": of["stage"], **point}
    return {name: str(value) for name, value in line.items()}


@pytest.mark.parametrize("page", [3, 2_000])
def test_response_does_not_depend_on_the_page_size(
    service: Service, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(series, "PAGE", page)

    @settings(
        max_examples=40,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(rows=recorded_rows(), query=query_parameters())
    def compare(rows: list[NewMetric], query: dict[str, Any]) -> None:
        lease = service.start_job()
        service.record(lease, metrics=rows)
        address, expected = f"/v1/jobs/{lease.job_id}/metrics", expected_series(rows, **query)
        response = service.client.get(address, params=query).raise_for_status()
        assert response.json() == {"object": "list", "data": expected, "has_more": False}
        assert response.headers["content-type"] == "application/json"
        as_csv = service.client.get(address, params={**query, "format": "csv"})
        lines = as_csv.raise_for_status().text
        assert list(csv.DictReader(io.StringIO(lines))) == [
            _csv_line(of, point) for of in expected for point in of["points"]
        ]
        service.succeed(lease)

    compare()


class TestMoreThanAPage:
    def _start_job(self, service: Service, points: int) -> Lease:
        """Start a job and record a series of so many points."""
        lease = service.start_job()
        row = {"job_id": lease.job_id, "name": "val_loss", "split": "validation"}
        row |= {"stage": "training", "epoch": 1, "value": 0.5, "at": RECORDED_AT}
        with service.database.write() as connection:
            rows = [{**row, "step": step} for step in range(points)]
            connection.execute(sa.insert(tables.metrics), rows)
        return lease

    def _peak_bytes(self, service: Service, points: int, max_points: int | None) -> int:
        """Return the peak of memory while the response is read chunk by chunk."""
        job_id = self._start_job(service, points).job_id
        tracemalloc.start()
        try:
            paged, _ = series.read(service.database, Outlines(), job_id, max_points=max_points)
            for _ in series.as_json(paged):
                pass
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    @pytest.mark.parametrize("max_points", [None, 50, 4_000])
    def test_memory_does_not_grow_with_the_points(
        self, service: Service, max_points: int | None
    ) -> None:
        few, many = (self._peak_bytes(service, points, max_points) for points in (5_000, 15_000))
        # All points together would take several MB
        assert many < 1.5 * few + 300_000

    def test_long_response_is_streamed_and_thinned_response_is_not(self, service: Service) -> None:
        job_id = self._start_job(service, 2 * series.PAGE + 1).job_id
        address = f"/v1/jobs/{job_id}/metrics"
        whole, few = (service.client.get(address, params=query) for query in ({}, {"points": 9}))
        assert "content-length" not in whole.headers
        assert int(few.headers["content-length"]) == len(few.content)
        steps = [point["step"] for point in whole.json()["data"][0]["points"]]
        assert steps == [*range(2 * series.PAGE + 1)]
        kept = [point["step"] for point in few.json()["data"][0]["points"]]
        assert (kept[0], kept[-1]) == (steps[0], steps[-1])
        assert len(kept) <= 9

    def test_rows_deleted_between_two_pages_are_left_out(self, service: Service) -> None:
        lease = self._start_job(service, 3 * series.PAGE)
        paged, _ = series.read(service.database, Outlines(), lease.job_id, max_points=None)
        ((_, pages),) = paged
        remaining = iter(pages)
        assert len(next(remaining)) == series.PAGE
        with service.database.write() as connection:
            is_later = tables.metrics.c.step >= series.PAGE + 5
            connection.execute(sa.delete(tables.metrics).where(is_later))
        assert [len(page) for page in remaining] == [5]
        with service.database.read() as connection:
            (left,) = stored_series.list_series(connection, lease.job_id)
        assert left.count == series.PAGE + 5
