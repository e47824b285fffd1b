"""A job's metrics as series: thinned, and read in pages so that memory stays bounded."""

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import orjson

from api.jobs.history.thinning import thin
from api.services.outlines import Outlines, is_long_enough
from shared.clock import rfc3339
from shared.database import Database
from shared.jobs import queries
from shared.jobs import series as stored_series
from shared.jobs.rows import MetricPoint, MetricRow
from shared.jobs.series import WHOLE, Series, Window
from shared.json_numbers import json_number

#: Points that are in memory at once.
PAGE = 2_000
COLUMNS = ("name", "split", "stage", "step", "epoch", "value", "at")

Points = list[dict[str, Any]]
#: Each series with the pages of its points, which are read when they are taken.
PagedSeries = Iterable[tuple[Series, Iterable[Points]]]


def read(
    database: Database,
    outlines: Outlines,
    job_id: str,
    *,
    max_points: int | None,
    name: str | None = None,
    split: str | None = None,
    stage: str | None = None,
    window: Window = WHOLE,
) -> tuple[PagedSeries, bool]:
    """Return the series that match every filter, and whether they have more points than a page.

    Args:
        database: The database.
        outlines: Of series that were read before.
        job_id: The job.
        max_points: About how many points of each series, see `thin`; None for all points.
        name: Only this metric.
        split: Only metrics of this split.
        stage: Only this stage.
        window: Only points in it.
    """
    filters: Any = {"name": name, "split": split, "stage": stage, "window": window}
    with database.read() as connection:
        found = stored_series.list_series(connection, job_id, **filters)
        if sum(series.count for series in found) <= PAGE:
            rows = queries.list_metrics(connection, job_id, **filters)
            return _in_memory(rows, max_points), False
    paged = [
        (series, _pages(database, outlines, job_id, series, max_points, window)) for series in found
    ]
    point_count = sum(
        series.count if max_points is None else min(series.count, max_points) for series in found
    )
    return paged, point_count > PAGE


def _in_memory(rows: list[MetricRow], max_points: int | None) -> PagedSeries:
    """Group rows that were read at once; each series has a single page."""
    rows_by_series: dict[tuple[str, str | None, str], list[MetricRow]] = defaultdict(list)
    for row in rows:
        rows_by_series[row.name, row.split, row.stage].append(row)
    return [
        (
            Series(*key, len(of_series)),
            [[_point(row) for row in thin(of_series, len(of_series), max_points)]],
        )
        for key, of_series in rows_by_series.items()
    ]


def _pages(
    database: Database,
    outlines: Outlines,
    job_id: str,
    series: Series,
    max_points: int | None,
    window: Window,
) -> Iterator[Points]:
    """Yield the points of a series page by page; no connection is held in between."""
    if max_points is not None and series.count > max_points:
        with database.read() as connection:
            if window == WHOLE and is_long_enough(series, max_points):
                values = outlines.read(connection, job_id, series)
                count = len(values)
            else:
                values = stored_series.list_values(connection, job_id, series, window=window)
                count = series.count
            steps = iter([value.step for value in thin(values, count, max_points)])
        while page := list(islice(steps, PAGE)):
            with database.read() as connection:
                rows = stored_series.list_points(connection, job_id, series, steps=page)
            yield [_point(row) for row in rows]
        return
    skipped = 0
    for _ in range(0, series.count, PAGE):
        with database.read() as connection:
            rows = stored_series.list_points(
                connection, job_id, series, limit=PAGE, skipped=skipped, window=window
            )
        if not rows:  # unreadable, or deleted since by a resumed attempt
            skipped += PAGE
            continue
        yield [_point(row) for row in rows]
        skipped, window = 0, replace(window, after_step=rows[-1].step)


def _point(row: MetricRow | MetricPoint) -> dict[str, Any]:
    value, at = json_number(row.value), rfc3339(row.at)
    return {"step": row.step, "epoch": row.epoch, "value": value, "at": at}


def as_json(paged: PagedSeries) -> Iterator[bytes]:
    """Yield the series as a JSON list, in chunks."""
    yield b'{"object":"list","data":['
    for number, (series, pages) in enumerate(paged):
        head = orjson.dumps({"name": series.name, "split": series.split, "stage": series.stage})
        yield (b"," if number else b"") + head[:-1] + b',"points":['
        for page_number, points in enumerate(pages):
            yield (b"," if page_number else b"") + orjson.dumps(points)[1:-1]
        yield b"]}"
    yield b'],"has_more":false}'


def as_csv(paged: PagedSeries) -> Iterator[bytes]:
    """Yield the series as CSV, a line per point, in chunks."""
    yield _csv_lines([COLUMNS])
    for series, pages in paged:
        head = (series.name, series.split or "", series.stage)
        for points in pages:
            yield _csv_lines([*head, *point.values()] for point in points)


def _csv_lines(rows: Iterable[Iterable[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
