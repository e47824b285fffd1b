"""Tables of a comparison and of a leaderboard for people, with curves of one line."""

import json
from typing import Any

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from trainshed.escaping import escaped
from trainshed.formatting import metric_value
from trainshed.metric_tables import BEST_VALUES

Json = dict[str, Any]
LEVELS = "▁▂▃▄▅▆▇█"
#: Points of a curve.
CURVE_POINTS = 40
#: Marks a value that is not finite.
GAP = "×"


def print_jobs_side_by_side(console: Console, comparison: Json) -> None:
    """Print what specifications differ in, and the best value of each metric."""
    comparison = escaped(comparison)
    jobs = comparison["jobs"]
    heads = [f"{job['name'] or 'no name'}\n{job['id']}\n{job['state']}" for job in jobs]
    table = Table("differs in", *heads)
    for difference in comparison["differences"]:
        values = difference["values"]
        table.add_row(difference["pointer"], *(_cell(values, job["id"]) for job in jobs))
    if comparison["differences"]:
        console.print(table)
    else:
        console.print("the specifications are equal, but for their names")
    table = Table("metric", *heads)
    for metric in comparison["metrics"]:
        table.add_row(metric["name"], *(_metric_cell(metric, job["id"]) for job in jobs))
    if comparison["metrics"]:
        console.print(table)
        console.print(BEST_VALUES, soft_wrap=True)


def _cell(values: Json, job_id: str) -> Text:
    return Text(_text(values[job_id]) if job_id in values else "–")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _metric_cell(metric: Json, job_id: str) -> str:
    value = metric["values"].get(job_id)
    if value is None:
        return ""
    if value["best"] is None:
        return metric_value(metric["name"], value["final"])
    epoch = "" if metric["split"] == "test" else f" ({value['best_epoch']})"
    mark = " *" if job_id in metric["better"] else ""
    return f"{metric_value(metric['name'], value['best'])}{epoch}{mark}"


def print_curves(console: Console, name: str, curves: list[tuple[Json, list[Json]]]) -> None:
    """Print a metric of several jobs as lines of blocks on one scale, each over its own epochs.

    Args:
        console: where to print.
        name: of the metric.
        curves: jobs with the points of the metric.
    """
    finite = [
        point["value"]
        for _, points in curves
        for point in points
        if not isinstance(point["value"], str)
    ]
    if not finite:
        return
    lowest, highest = min(finite), max(finite)
    bounds = f"{metric_value(name, lowest)} to {metric_value(name, highest)}"
    table = Table(name, Column(bounds, no_wrap=True), "epochs")
    for job, points in curves:
        line = "".join(_block(point["value"], lowest, highest) for point in points)
        last = str(points[-1]["epoch"]) if points else ""
        table.add_row(escaped(job["name"] or job["id"]), line, last)
    console.print(table)


def _block(value: Any, lowest: float, highest: float) -> str:
    if isinstance(value, str):
        return GAP
    share = (value - lowest) / (highest - lowest) if highest > lowest else 0.0
    return LEVELS[min(int(share * len(LEVELS)), len(LEVELS) - 1)]


def print_leaderboard(console: Console, leaderboard: Json) -> None:
    """Print the best jobs on a data set, with what their specifications differ in."""
    leaderboard = escaped(leaderboard)
    metric, entries = leaderboard["metric"], leaderboard["data"]
    if not entries:
        console.print(f"no job on this data set has {metric['name']} yet")
        _print_left_out_counts(console, leaderboard)
        return
    tests = [] if metric["split"] == "test" else [_test_metric(metric["name"])]
    id_column = Column("id", no_wrap=True)
    table = Table("", "job", metric["name"], "epoch", *tests, "state", id_column)
    for entry in entries:
        test = (metric_value(name, entry["test"].get(name, "")) for name in tests)
        value = metric_value(metric["name"], entry["value"])
        name = Text(entry["name"] or "no name")
        epoch = str(entry["epoch"])
        table.add_row(str(entry["rank"]), name, value, epoch, *test, entry["state"], entry["job"])
    console.print(table)
    _print_differences(console, leaderboard)
    _print_left_out_counts(console, leaderboard)


def _print_left_out_counts(console: Console, leaderboard: Json) -> None:
    counts, metric = leaderboard.get("left_out") or {}, leaderboard["metric"]["name"]
    if any(counts.values()):
        text = f"{counts['failed']} failed, {counts['no_value']} without {metric}"
        console.print(f"left out: {text}; --left-out lists them", soft_wrap=True)


def print_left_out(console: Console, left_out: Json) -> None:
    """Print the jobs on a data set without a rank, and why."""
    left_out = escaped(left_out)
    if not left_out["data"]:
        console.print("every job on this data set has a rank")
        return
    table = Table("job", "state", "why", Column("id", no_wrap=True))
    for entry in left_out["data"]:
        missing = f"no value of {left_out['metric']['name']}"
        why = entry["ending"] if entry["reason"] == "failed" else missing
        table.add_row(Text(entry["name"] or "no name"), entry["state"], Text(why), entry["job"])
    console.print(table)


def _test_metric(name: str) -> str:
    """Return the name of the same metric on the test split."""
    return "test_" + name.removeprefix("val_").removeprefix("train_")


def _print_differences(console: Console, leaderboard: Json) -> None:
    ranks = {entry["job"]: entry["rank"] for entry in leaderboard["data"]}
    if not leaderboard["differences"]:
        return
    table = Table("differs in", *(str(rank) for rank in ranks.values()))
    for difference in leaderboard["differences"]:
        values = difference["values"]
        table.add_row(difference["pointer"], *(_cell(values, job) for job in ranks))
    console.print(table)
