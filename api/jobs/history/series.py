"""A job's metrics as series, thinned, as JSON or CSV: in pages, so that memory has a bound."""

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import orjson

from shared.clock import rfc3339
from shared.database import Database
from shared.jobs import queries
from shared.jobs.queries import Series
from shared.jobs.rows import MetricPoint, MetricRow
from shared.json_numbers import json_number

#: Points that are held at once.
PAGE = 2_000
COLUMNS = ("name", "split", "stage", "step", "epoch", "value", "at")

Points = list[dict[str, Any]]
#: Each series with its points, page after page; read as they are taken.
Found = Iterable[tuple[Series, Iterable[Points]]]


def find(
    database: Database,
    job_id: str,
    *,
    most: int | None,
    name: str | None = None,
    split: str | None = None,
    stage: str | None = None,
    after_step: int | None = None,
) -> tuple[Found, bool]:
    """The job's series that match every filter, and whether they are more than a page together.

    Args:
        database: where they are.
        job_id: of the job.
        most: points of a series: evenly spaced, the first and the last among them. None for all.
        name: of the metric.
        split: of the metric.
        stage: of the job.
        after_step: points past this step alone.
    """
    filters: Any = {"name": name, "split": split, "stage": stage, "after_step": after_step}
    with database.read() as connection:
        found = queries.list_series(connection, job_id, **filters)
        if sum(one.count for one in found) <= PAGE:
            return _at_once(queries.list_metrics(connection, job_id, **filters), most), False
    pages = [(one, _pages(database, job_id, one, most, after_step)) for one in found]
    shown = sum(one.count if most is None else min(one.count, most) for one in found)
    return pages, shown > PAGE


def _at_once(rows: list[MetricRow], most: int | None) -> Found:
    """All that there is, out of one reading."""
    series: dict[tuple[str, str | None, str], list[MetricRow]] = defaultdict(list)
    for row in rows:
        series[row.name, row.split, row.stage].append(row)
    return [
        (Series(*key, len(of_it)), [[_point(of_it[at]) for at in kept(len(of_it), most)]])
        for key, of_it in series.items()
    ]


def _pages(
    database: Database, job_id: str, of: Series, most: int | None, after_step: int | None
) -> Iterator[Points]:
    """The points of a series. No connection is held while a page is sent."""
    places, passed = kept(of.count, most), 0
    while page := list(islice(places, PAGE)):
        counted = [place + 1 - passed for place in page]
        with database.read() as connection:
            rows = queries.list_points(
                connection, job_id, of, positions=counted, after_step=after_step
            )
        if not rows:  # taken back meanwhile by an attempt that began anew
            return
        yield [_point(row) for row in rows]
        passed, after_step = page[-1] + 1, rows[-1].step


def kept(count: int, most: int | None) -> Iterator[int]:
    """The places of so many points that stay: evenly spaced, with the first and the last."""
    if most is None or count <= most:
        return iter(range(count))
    last = count - 1
    return (round(place * last / (most - 1)) for place in range(most))


def _point(row: MetricRow | MetricPoint) -> dict[str, Any]:
    value, at = json_number(row.value), rfc3339(row.at)
    return {"step": row.step, "epoch": row.epoch, "value": value, "at": at}


def as_json(found: Found) -> Iterator[bytes]:
    """A list of series."""
    yield b'{"object":"list","data":['
    for number, (one, pages) in enumerate(found):
        head = orjson.dumps({"name": one.name, "split": one.split, "stage": one.stage})
        yield (b"," if number else b"") + head[:-1] + b',"points":['
        for place, points in enumerate(pages):
            yield (b"," if place else b"") + orjson.dumps(points)[1:-1]
        yield b"]}"
    yield b'],"has_more":false}'


def as_csv(found: Found) -> Iterator[bytes]:
    """A line for each point."""
    yield _lines([COLUMNS])
    for one, pages in found:
        head = (one.name, one.split or "", one.stage)
        for points in pages:
            yield _lines([*head, *point.values()] for point in points)


def _lines(rows: Iterable[Iterable[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
