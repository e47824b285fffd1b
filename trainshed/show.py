"""Jobs, and what the box has, as tables for people."""

import os
from typing import Any

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from trainshed import show_results
from trainshed.formatting import figure, moment, percent, size

Json = dict[str, Any]
PIPE_WIDTH = 200
#: Where fewer characters fit into a line, a list of jobs has its most asked for columns alone.
WIDE = 130
COLOURS = {"succeeded": "green", "failed": "red", "cancelled": "yellow", "running": "cyan"}


def make_console() -> Console:
    """A console that takes texts as they are, and in a pipe breaks no line."""
    console = Console(markup=False, highlight=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPE_WIDTH
    return console


def jobs(console: Console, found: list[Json]) -> None:
    """A list of jobs."""
    if not found:
        console.print("no jobs")
        return
    # An id is for copying: it is not broken.
    columns = [Column("job", no_wrap=True, min_width=30), Column("name", overflow="fold")]
    columns += [Column("state", no_wrap=True), Column("validation", no_wrap=True)]
    is_wide = console.width >= WIDE
    table = Table(*columns, *(["data set", "network", "created (UTC)"] if is_wide else []))
    for job in found:
        spec = job["spec"]
        others = (spec["dataset"]["name"], spec["architecture"]["name"], moment(job["created_at"]))
        table.add_row(
            job["id"],
            Text(job["name"]),
            Text(_state(job), style=COLOURS.get(job["state"], "")),
            _validation(job["metrics"]),
            *(others if is_wide else ()),
        )
    console.print(table)


def _state(job: Json) -> str:
    return ", ".join(part for part in (job["state"], _progress(job)) if part)


def _progress(job: Json) -> str:
    if job["state"] == "queued":
        place = job["queue_position"]  # of a job that came just now it is not known yet
        return "" if place is None else f"place {place}"
    if job["state"] == "succeeded" or not job["progress"]:
        return ""
    return f"{100 * job['progress']['fraction']:.0f} %"


def _validation(metrics: Json) -> str:
    if "val_accuracy" in metrics:
        return percent(metrics["val_accuracy"])
    return f"loss {figure(metrics['val_loss'])}" if "val_loss" in metrics else ""


def job(console: Console, one: Json) -> None:
    """One job: what it is, how far, what came out."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    spec = one["spec"]
    rows = {
        "job": one["id"],
        "name": one["name"],
        "state": " ".join(part for part in (one["state"], one["phase"]) if part),
        "reason": one["reason"],
        "progress": _progress(one),
        "tags": ", ".join(f"{key}={value}" for key, value in one["tags"].items()),
        "retry of": one["retry_of"],
        "data set": spec["dataset"]["name"],
        "network": spec["architecture"]["name"],
        "device": one["device"],
        "attempts": one["attempt"],
        **{when: _utc(one[f"{when}_at"]) for when in ("created", "started", "finished")},
        "MLflow run": one["mlflow_run_id"],
    }
    for name, value in rows.items():
        if value:
            table.add_row(name, Text(str(value)))
    for name, value in one["metrics"].items():
        table.add_row(name, figure(value))
    console.print(table)
    failure(console, one)


def _utc(at: str | None) -> str:
    return f"{moment(at)} UTC" if at else ""


def failure(console: Console, one: Json) -> None:
    """Why a job failed, and what to try."""
    if one["failure"]:
        said = f"{one['failure']['kind']}: {one['failure']['message']}"
        console.print(Text(said, style="red"), soft_wrap=True)
        console.print(Text(one["failure"]["hint"]), soft_wrap=True)


def ending(console: Console, one: Json) -> None:
    """What a job that was watched came to, and where there is more."""
    failure(console, one)
    if one["state"] == "succeeded":
        show_results.tests(console, one)
        has_classes = any("accuracy" in figures for figures in one["result"]["test"].values())
        commands = ["top-k", "metrics"] if has_classes else ["metrics"]
        more = ", ".join(f"trainshed {command} {one['id']}" for command in commands)
        console.print(f"more: {more}", soft_wrap=True)


def validation(console: Console, answer: Json) -> None:
    """What the service says of a specification that it would take."""
    count, memory = answer["parameter_count"]["trainable"], answer["device_memory_mib"]
    console.print(f"valid: {count:,} trainable parameters, about {memory} MiB on the device")
    if answer["seconds_per_epoch"] is not None:
        console.print(f"an epoch takes about {answer['seconds_per_epoch']:.1f} s")
    console.print(f"it would be number {answer['queue_position']} of those that wait")


def datasets(console: Console, found: list[Json]) -> None:
    """The data sets there are."""
    table = Table("name", "images", "classes", "size", "here", "what")
    for one in found:
        shape = f"{one['image_size']}×{one['image_size']}×{one['channels']}"
        images, classes = f"{one['train'] + one['test']:,}", str(len(one["classes"]))
        if "files" in one:  # a table: as large as its file
            shape, classes, images = "", "", ", ".join(one["files"])
        here = "yes" if one["is_available"] else "no"
        table.add_row(one["id"], images, classes, shape, here, one["summary"])
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
    if not found:
        console.print("none yet: `trainshed upload FILE` brings some")
        return
    last = Column("id", no_wrap=True)
    table = Table("name", "tensors", "parameters", "size", "created (UTC)", last)
    for one in found:
        figures = (str(one["tensors"]), f"{one['parameters']:,}", size(one["bytes"]))
        table.add_row(Text(one["name"]), *figures, moment(one["created_at"]), one["id"])
    console.print(table)
