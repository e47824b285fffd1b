"""Outlines of long series: no extreme is lost, and what was read is not read again."""

import math
import random
from collections.abc import Sequence
from typing import Any

import pytest
import sqlalchemy as sa

from api.jobs.history.thinning import thin
from api.services import outlines as module
from api.services.outlines import BLOCK, Outlines, extremes, is_long_enough
from shared import tables
from shared.database import Database
from shared.jobs import series as stored_series
from shared.jobs.attempts import Lease
from shared.jobs.recording import Batch, NewMetric, record
from shared.jobs.series import Series, Value
from tests.worker.jobs import RECORDED_AT, claimed

SERIES = Series("val_loss", "validation", "training", 0)


@pytest.fixture
def lease(database: Database) -> Lease:
    return claimed(database)


def _record(database: Database, lease: Lease, values: Sequence[float], *, first: int = 1) -> None:
    rows = [
        NewMetric(
            name=SERIES.name,
            split=SERIES.split,
            stage=SERIES.stage,
            step=step,
            epoch=step,
            value=value,
            at=RECORDED_AT,
        )
        for step, value in enumerate(values, start=first)
    ]
    with database.write() as connection:
        record(connection, lease, Batch(metrics=rows))


def _read(database: Database, outlines: Outlines, lease: Lease) -> list[Value]:
    with database.read() as connection:
        return outlines.read(connection, lease.job_id, SERIES)


def _random_values(count: int) -> list[float]:
    draw = random.Random(count)
    values = [1 / (1 + step) + draw.gauss(0, 0.01) for step in range(count)]
    values[count // 3], values[count // 2] = math.nan, math.inf
    values[count // 4] = 9.0
    return values


@pytest.mark.parametrize("count", [1, 31, 32, 33, 64, 65, 2_500])
def test_an_outline_keeps_the_ends_and_every_extreme(
    database: Database, lease: Lease, count: int
) -> None:
    values = _random_values(count) if count > 4 else [0.5] * count
    _record(database, lease, values)
    points = _read(database, Outlines(), lease)
    steps = [point.step for point in points]
    assert steps == sorted(set(steps))
    assert (steps[0], steps[-1]) == (1, count)
    for start in range(0, count, BLOCK):
        block = values[start : start + BLOCK]
        assert {start + 1 + index for index in extremes(block)} <= set(steps)
    kept = {step for step, _ in thin(points, len(points), 50)}
    finite = [value for value in values if math.isfinite(value)]
    assert {values.index(each) + 1 for each in (min(finite), max(finite))} <= kept


def test_what_was_read_is_not_read_again(
    database: Database, lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    values, outlines = _random_values(1000), Outlines()
    _record(database, lease, values[:700])
    _read(database, outlines, lease)
    original = stored_series.list_chunks
    monkeypatch.setattr(
        module.stored_series,
        "list_chunks",
        lambda *given, **named: _noted(original(*given, **named), read),
    )
    _record(database, lease, values[700:], first=701)
    continued = _read(database, outlines, lease)
    assert min(read) > 700 - 2 * BLOCK
    monkeypatch.undo()
    assert str(continued) == str(_read(database, Outlines(), lease))


def _noted(chunks: Any, read: list[int]) -> Any:
    for steps, values in chunks:
        read.extend(steps)
        yield steps, values


def test_what_a_resumed_attempt_records_again_replaces_what_was_read(
    database: Database, lease: Lease
) -> None:
    outlines = Outlines()
    _record(database, lease, [1.0] * 500)
    _read(database, outlines, lease)
    with database.write() as connection:
        connection.execute(sa.delete(tables.metrics).where(tables.metrics.c.step > 200))
    _record(database, lease, [2.0] * 400, first=201)
    points = _read(database, outlines, lease)
    assert {point.value for point in points if point.step <= 200} == {1.0}
    assert {point.value for point in points if point.step > 200} == {2.0}
    assert str(points) == str(_read(database, Outlines(), lease))


def test_few_outlines_stay_in_memory(
    database: Database, lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_OUTLINES", 1)
    outlines = Outlines()
    _record(database, lease, [1.0] * 100)
    other = Series("train_loss", "train", "training", 0)
    with database.read() as connection:
        outlines.read(connection, lease.job_id, SERIES)
        assert outlines.read(connection, lease.job_id, other) == []
    assert len(outlines._known) == 1


def test_a_series_that_is_thinned_little_has_no_outline() -> None:
    series = Series("val_loss", "validation", "training", 100 * BLOCK)
    assert is_long_enough(series, 100)
    assert not is_long_enough(series, 101)


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        ([2.0, 1.0, 3.0, 1.0, 3.0], [1, 2]),
        ([1.0, 1.0], [0]),
        ([math.nan, 1.0, math.inf, 0.5], [0, 1, 3]),
        ([math.nan, -math.inf], [0]),
        ([1e308, 1e308, 1e308], [0]),
    ],
)
def test_extremes_are_the_first_of_their_kind(values: list[float], kept: list[int]) -> None:
    assert extremes(values) == kept
