"""Jobs, results and predictions as tables for people."""

import os
from typing import Any

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

Json = dict[str, Any]
PIPE_WIDTH = 200
#: What says which checkpoint it is, in its entry of a job's result.
PLACE = {"checkpoint", "epoch", "step"}
COLOURS = {"succeeded": "green", "failed": "red", "cancelled": "yellow", "running": "cyan"}


def make_console() -> Console:
    """A console that takes texts as they are, and in a pipe breaks no line."""
    console = Console(markup=False, highlight=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPE_WIDTH
    return console


def percent(value: Any) -> str:
    """A fraction as people read it."""
    return f"{100 * value:.2f} %" if isinstance(value, (int, float)) else str(value)


def figure(value: Any) -> str:
    """A figure in four places."""
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def jobs(console: Console, found: list[Json]) -> None:
    """A list of jobs."""
    others = ("name", "state", "progress", "data set", "network", "val accuracy", "created")
    # An id is for copying: it is not broken.
    table = Table(Column("job", no_wrap=True, min_width=30), *others)
    for job in found:
        done = (job["progress"] or {}).get("fraction")
        if job["state"] == "queued":
            shown = f"place {job['queue_position']}"
        else:
            shown = "" if done is None else f"{100 * done:.0f} %"
        table.add_row(
            job["id"],
            Text(job["name"]),
            Text(job["state"], style=COLOURS.get(job["state"], "")),
            shown,
            job["spec"]["dataset"]["name"],
            job["spec"]["architecture"]["name"],
            percent(job["metrics"].get("val_accuracy", "")),
            job["created_at"][:19].replace("T", " "),
        )
    console.print(table)


def job(console: Console, one: Json) -> None:
    """One job: what it is, how far, what came out."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    spec = one["spec"]
    rows = {
        "job": one["id"],
        "name": one["name"],
        "state": f"{one['state']} {one['phase'] or ''} {one['reason'] or ''}".strip(),
        "data set": spec["dataset"]["name"],
        "network": spec["architecture"]["name"],
        "device": one["device"] or "",
        "attempts": one["attempt"],
        "created": one["created_at"],
        "started": one["started_at"] or "",
        "finished": one["finished_at"] or "",
        "MLflow run": one["mlflow_run_id"] or "",
    }
    for name, value in rows.items():
        table.add_row(name, Text(str(value)))
    for name, value in one["metrics"].items():
        table.add_row(name, figure(value))
    console.print(table)
    failure(console, one)


def failure(console: Console, one: Json) -> None:
    """Why a job failed, and what to try."""
    if one["failure"]:
        console.print(Text(f"{one['failure']['kind']}: {one['failure']['message']}", style="red"))
        console.print(Text(one["failure"]["hint"]))


def tests(console: Console, one: Json) -> None:
    """What each checkpoint of a finished job is worth on the test split."""
    found = one["result"]["test"]
    names = [name for name in next(iter(found.values())) if name not in PLACE]
    table = Table("checkpoint", "epoch", *(f"test {name.replace('_', ' ')}" for name in names))
    for checkpoint, said in found.items():
        shown = [(percent if "accuracy" in n else figure)(said.get(n, "")) for n in names]
        table.add_row(checkpoint, str(said["epoch"]), *shown)
    console.print(table)


def results(console: Console, answer: Json) -> None:
    """The accuracies of each checkpoint on the test split."""
    names = sorted({k for one in answer["checkpoints"] for k in one["top_k"]}, key=int)
    table = Table("checkpoint", "epoch", "test loss", *(f"top-{k}" for k in names))
    for one in answer["checkpoints"]:
        accuracies = [percent(one["top_k"].get(k, "")) for k in names]
        table.add_row(one["name"], str(one["epoch"]), figure(one["loss"]), *accuracies)
    console.print(table)


def samples(console: Console, answer: Json) -> None:
    """What a checkpoint says of samples: label by name, then the most probable classes."""
    found = answer["samples"]["data"]
    most = max((len(one["classes"]) for one in found), default=0)
    table = Table("sample", "label", "", *(f"{place}." for place in range(1, most + 1)))
    for one in found:
        said = [f"{c['name']}\n{100 * c['probability']:.1f} %" for c in one["classes"]]
        mark = Text("right", style="green") if one["right"] else Text("wrong", style="red")
        table.add_row(str(one["sample"]), one["label_name"], mark, *said)
    console.print(table)


def checkpoints(console: Console, found: list[Json]) -> None:
    """The checkpoints of a job."""
    last = Column("id", no_wrap=True, min_width=31)
    table = Table("name", "value", "epoch", "step", "MiB", last)
    for one in found:
        value = "" if one["value"] is None else figure(one["value"])
        size = f"{one['bytes'] / 2**20:.1f}"
        table.add_row(one["name"], value, str(one["epoch"]), str(one["step"]), size, one["id"])
    console.print(table)


def metrics(console: Console, series: list[Json]) -> None:
    """The last value of each metric, its best, and how many there are."""
    table = Table("metric", "points", "first", "last", "min", "max")
    for one in series:
        values = [point["value"] for point in one["points"]]
        finite = [value for value in values if not isinstance(value, str)] or ["", ""]
        low, high = min(finite), max(finite)
        ends = (figure(values[0]), figure(values[-1]), figure(low), figure(high))
        table.add_row(one["name"], str(len(values)), *ends)
    console.print(table)


def datasets(console: Console, found: list[Json]) -> None:
    """The data sets there are."""
    table = Table("name", "images", "classes", "size", "here", "what")
    for one in found:
        size = f"{one['image_size']}×{one['image_size']}×{one['channels']}"
        images = f"{one['train'] + one['test']:,}"
        if "files" in one:  # a table: as large as its file
            size, images = "", ", ".join(one["files"])
        here = "yes" if one["is_at_hand"] else "no"
        table.add_row(one["id"], images, str(len(one["classes"])), size, here, one["summary"])
    console.print(table)


def presets(console: Console, found: list[Json]) -> None:
    """The presets there are, and what each teaches."""
    table = Table(Column("name", no_wrap=True), "what it teaches", show_lines=True)
    for one in found:
        table.add_row(one["name"], Text(f"{one['title']}\n{one['teaches']}"))
    console.print(table)


def preset(console: Console, one: Json) -> None:
    """One preset: what it teaches, its specification, and what to look at afterwards."""
    console.print(Text(f"{one['title']}\n\n{one['teaches']}\n"))
    console.print_json(data=one["spec"])
    console.print(Text(f"\nAfterwards: {one['look_at']}"))


def weights(console: Console, found: list[Json]) -> None:
    """The uploads."""
    table = Table("name", "tensors", "parameters", "MiB", "created", Column("id", no_wrap=True))
    for one in found:
        size, created = f"{one['bytes'] / 2**20:.1f}", one["created_at"][:19].replace("T", " ")
        figures = (str(one["tensors"]), f"{one['parameters']:,}", size, created)
        table.add_row(one["name"], *figures, one["id"])
    console.print(table)
