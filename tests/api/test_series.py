"""Metrics are read in pages: every answer is what one reading of all rows gives."""

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
from shared import tables
from shared.jobs import queries
from shared.jobs.attempts import Lease
from shared.jobs.recording import NewMetric
from tests.api.service import RECORDED_AT, Service, metric_row

NAMES = ("train_loss", "val_loss", "learning_rate")
SOME = st.sets(st.sampled_from(NAMES), min_size=1)
SHOWN_AT = "2026-01-02T03:04:05.678Z"
#: SQLite has no negative zero.
VALUES = st.floats(width=32).map(lambda value: value + 0.0)
WORDS = {"nan": "nan", "inf": "inf", "-inf": "-inf"}


@st.composite
def recorded(draw: st.DrawFn) -> list[NewMetric]:
    """What a training records: step after step, some metrics at each, in one stage or two."""
    rows: list[NewMetric] = []
    step = 0
    for stage in ("warm_up", "fine_tune")[: draw(st.integers(1, 2))]:
        epochs = draw(st.sampled_from([20, 7, 1, 0]))
        for names in draw(st.lists(SOME, min_size=epochs, max_size=epochs)):
            step += draw(st.integers(1, 9))
            values = draw(st.lists(VALUES, min_size=3, max_size=3))
            told = zip(sorted(names), values, strict=False)
            rows += [metric_row(name, step, value, stage=stage) for name, value in told]
    return rows


@st.composite
def asked(draw: st.DrawFn) -> dict[str, Any]:
    """What can be asked for."""
    filters = {
        "after_step": st.integers(0, 60),
        "name": st.sampled_from(NAMES),
        "split": st.sampled_from(["train", "validation", "test"]),
        "stage": st.sampled_from(["warm_up", "fine_tune"]),
    }
    names = draw(st.lists(st.sampled_from(sorted(filters)), max_size=2, unique=True))
    query: dict[str, Any] = {name: draw(filters[name]) for name in names}
    most = draw(st.sampled_from([3, None, 2, 5, 8]))
    return query if most is None else {**query, "points": most}


def plain(rows: list[NewMetric], **query: Any) -> list[dict[str, Any]]:
    """The answer, by what is asked for word by word."""
    found: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        has = {"name": row.name, "split": row.split, "stage": row.stage}
        if {**has, **query}.items() >= has.items() and row.step > query.get("after_step", -1):
            value = WORDS.get(str(row.value), row.value)
            point = {"step": row.step, "epoch": row.epoch, "value": value, "at": SHOWN_AT}
            found[row.name, row.split, row.stage].append(point)
    return [
        {"name": name, "split": split, "stage": stage, "points": thinned(points, query)}
        for (name, split, stage), points in found.items()
    ]


def thinned(points: list[Any], query: dict[str, Any]) -> list[Any]:
    most, last = query.get("points"), len(points) - 1
    if most is None or len(points) <= most:
        return points
    return [points[round(place * last / (most - 1))] for place in range(most)]


@pytest.mark.parametrize("page", [3, 2_000])
def test_any_answer_is_that_of_one_reading_of_all_rows(
    service: Service, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(series, "PAGE", page)

    @settings(
        max_examples=40,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(rows=recorded(), query=asked())
    def compare(rows: list[NewMetric], query: dict[str, Any]) -> None:
        lease = service.start_job()
        service.record(lease, metrics=rows)
        at, expected = f"/v1/jobs/{lease.job_id}/metrics", plain(rows, **query)
        given = service.client.get(at, params=query).raise_for_status()
        assert given.json() == {"object": "list", "data": expected, "has_more": False}
        assert given.headers["content-type"] == "application/json"
        lines = service.client.get(at, params={**query, "format": "csv"}).raise_for_status().text
        assert list(csv.DictReader(io.StringIO(lines))) == [
            _line(one, point) for one in expected for point in one["points"]
        ]
        service.succeed(lease)

    compare()


def _line(one: dict[str, Any], point: dict[str, Any]) -> dict[str, str]:
    told = {"name": one["name"], "split": one["split"], "stage": one["stage"], **point}
    return {name: str(value) for name, value in told.items()}


class TestLong:
    """Of more points than a page."""

    def _job(self, service: Service, points: int) -> Lease:
        lease = service.start_job()
        row = {"job_id": lease.job_id, "name": "val_loss", "split": "validation"}
        row |= {"stage": "training", "epoch": 1, "value": 0.5, "at": RECORDED_AT}
        with service.database.write() as connection:
            rows = [{**row, "step": step} for step in range(points)]
            connection.execute(sa.insert(tables.metrics), rows)
        return lease

    def _peak(self, service: Service, points: int, most: int | None) -> int:
        """Bytes at once while the answer is read piece by piece."""
        job_id = self._job(service, points).job_id
        tracemalloc.start()
        try:
            found, _ = series.find(service.database, job_id, most=most)
            for _ in series.as_json(found):
                pass
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    @pytest.mark.parametrize("most", [None, 50, 4_000])
    def test_memory_does_not_grow_with_the_points(self, service: Service, most: int | None) -> None:
        few, many = (self._peak(service, points, most) for points in (5_000, 15_000))
        assert many < 1.5 * few

    def test_what_is_long_is_sent_in_pieces_and_what_is_thinned_at_once(
        self, service: Service
    ) -> None:
        at = f"/v1/jobs/{self._job(service, 2 * series.PAGE + 1).job_id}/metrics"
        whole, few = (service.client.get(at, params=query) for query in ({}, {"points": 9}))
        assert "content-length" not in whole.headers
        assert int(few.headers["content-length"]) == len(few.content)
        steps = [point["step"] for point in whole.json()["data"][0]["points"]]
        assert steps == [*range(2 * series.PAGE + 1)]
        assert [point["step"] for point in few.json()["data"][0]["points"]] == steps[::500]

    def test_what_is_taken_back_meanwhile_is_left_out(self, service: Service) -> None:
        lease = self._job(service, 3 * series.PAGE)
        found, _ = series.find(service.database, lease.job_id, most=None)
        ((_, pages),) = found
        read = iter(pages)
        assert len(next(iter(read))) == series.PAGE
        with service.database.write() as connection:
            past = tables.metrics.c.step >= series.PAGE + 5
            connection.execute(sa.delete(tables.metrics).where(past))
        assert [len(page) for page in read] == [5]
        with service.database.read() as connection:
            (left,) = queries.list_series(connection, lease.job_id)
        assert left.count == series.PAGE + 5
