"""Tables of metrics for people: of one job, of several side by side, and what each metric is."""

import re
from typing import Any

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from trainshed.escaping import escaped
from trainshed.formatting import number

Json = dict[str, Any]
#: Explains the cells of a table of several jobs.
BEST_VALUES = (
    "the best value of each metric by its direction, or else the last; epochs in brackets; "
    "* the best of the jobs"
)


def print_metrics(console: Console, all_series: list[Json]) -> None:
    """Print first, last, lowest and highest value of each metric, stage by stage."""
    all_series = escaped(all_series)
    stages = [*dict.fromkeys(series["stage"] for series in all_series)]
    stage_column = ["stage"] if len(stages) > 1 else []
    table = Table("metric", *stage_column, "first", "last", "lowest", "highest")
    for index, stage in enumerate(stages):
        if index:
            table.add_section()
        for series in all_series:
            if series["stage"] == stage:
                stage_cell = [stage] if stage_column else []
                table.add_row(series["name"], *stage_cell, *_first_last_lowest_highest(series))
    console.print(table)
    console.print("epochs in brackets; test metrics are of the best checkpoint (all with `top-k`)")


def _first_last_lowest_highest(series: Json) -> list[str]:
    """Return the four cells of a series; of equal values the earliest counts."""
    points = series["points"]
    if series["split"] == "test":  # measured once, so it belongs to no epoch
        return ["", number(points[-1]["value"])]
    finite = [point for point in points if not isinstance(point["value"], str)]
    extremes = [find(finite, key=lambda point: point["value"]) for find in (min, max) if finite]
    return [f"{number(p['value'])} ({p['epoch']})" for p in (points[0], points[-1], *extremes)]


def print_comparison(
    console: Console, jobs: list[Json], all_series: list[list[Json]], declared: Json
) -> None:
    """Print the metrics of several jobs side by side: the best value of each, or else the last.

    Args:
        console: where to print.
        jobs: the jobs.
        all_series: the series of each job.
        declared: what the catalogue declares of the metrics.
    """
    jobs, all_series = escaped(jobs), escaped(all_series)
    columns = [Column(f"{job['name'] or 'no name'}\n{job['id']}") for job in jobs]
    table = Table("metric", *columns)
    for name in dict.fromkeys(series["name"] for of_job in all_series for series in of_job):
        direction = declaration_of(declared, name).get("direction")
        points = [_representative(of_job, name, direction) for of_job in all_series]
        values = [point["value"] for point in points if point is not None]
        finite = [value for value in values if not isinstance(value, str)]
        best = _best(finite, direction) if len({*finite}) > 1 else None
        table.add_row(name, *(_comparison_cell(point, best) for point in points))
    console.print(table)
    console.print(BEST_VALUES, soft_wrap=True)


def _representative(all_series: list[Json], name: str, direction: str | None) -> Json | None:
    """Return the point of a metric that is compared; of equal values the earliest."""
    points = [
        {**point, "split": series["split"]}
        for series in all_series
        if series["name"] == name
        for point in series["points"]
    ]
    finite = [point for point in points if not isinstance(point["value"], str)]
    if direction is None or not finite:
        return points[-1] if points else None
    best = _best([point["value"] for point in finite], direction)
    return next(point for point in finite if point["value"] == best)


def _best(values: list[float], direction: str | None) -> float | None:
    if direction is None:
        return None
    return max(values) if direction == "higher" else min(values)


def _comparison_cell(point: Json | None, best: float | None) -> str:
    if point is None:
        return ""
    epoch = "" if point["split"] == "test" else f" ({point['epoch']})"
    return f"{number(point['value'])}{epoch}{' *' if point['value'] == best else ''}"


def declaration_of(declared: Json, name: str) -> Json:
    """Return what the catalogue declares of a metric, `{}` for an unknown name.

    Args:
        declared: the `metrics` of the catalogue.
        name: of the metric; `val_top_5_accuracy` is declared as `val_top_{k}_accuracy`.
    """
    template = re.sub(r"(?<=_top_)[0-9]+(?=_)", "{k}", name)
    return declared.get(name) or declared.get(template) or {}


def print_explanations(console: Console, explanations: Json) -> None:
    """Print what each metric is, and which of its values are better."""
    table = Table(Column("metric", no_wrap=True), "better", "unit", "what it is", show_lines=True)
    for name, metric in escaped(explanations).items():
        cells = (metric["direction"] or "", metric["unit"], Text(metric["summary"]))
        table.add_row(name, *cells)
    console.print(table)
