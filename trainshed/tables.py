"""Tables of jobs, data sets, presets and weights for people."""

import os
from typing import Any

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from trainshed import result_tables
from trainshed.escaping import escaped
from trainshed.formatting import file_size, number, percent, timestamp

Json = dict[str, Any]
PIPE_WIDTH = 200
#: On a narrower terminal a list of jobs shows only its most important columns.
WIDE_COLUMNS = 130
COLOURS = {"succeeded": "green", "failed": "red", "cancelled": "yellow", "running": "cyan"}


def make_console(*, stderr: bool = False) -> Console:
    """Return a console without markup, which breaks no lines when it writes to a pipe."""
    console = Console(stderr=stderr, markup=False, highlight=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPE_WIDTH
    return console


def print_jobs(console: Console, jobs: list[Json]) -> None:
    """Print a list of jobs."""
    jobs = escaped(jobs)
    if not jobs:
        console.print("no jobs")
        return
    # Ids are for copying, so they are never wrapped.
    columns = [Column("job", no_wrap=True, min_width=30), Column("name", overflow="fold")]
    columns += [Column("state", no_wrap=True), Column("validation", no_wrap=True)]
    is_wide = console.width >= WIDE_COLUMNS
    table = Table(*columns, *(["data set", "network", "created (UTC)"] if is_wide else []))
    for job in jobs:
        spec, created = job["spec"], timestamp(job["created_at"])
        table.add_row(
            job["id"],
            Text(job["name"]),
            Text(_state(job), style=COLOURS.get(job["state"], "")),
            _validation(job["metrics"]),
            *((spec["dataset"]["name"], spec["architecture"]["name"], created) if is_wide else ()),
        )
    console.print(table)


def _state(job: Json) -> str:
    return ", ".join(part for part in (job["state"], _progress(job)) if part)


def _progress(job: Json) -> str:
    if job["state"] == "queued":
        position = job["queue_position"]  # not known yet right after the submission
        return "" if position is None else f"position {position}"
    if job["state"] == "succeeded" or not job["progress"]:
        return ""
    return f"{100 * job['progress']['fraction']:.0f} %"


def _validation(metrics: Json) -> str:
    if "val_accuracy" in metrics:
        return percent(metrics["val_accuracy"])
    return f"loss {number(metrics['val_loss'])}" if "val_loss" in metrics else ""


def print_job(console: Console, job: Json) -> None:
    """Print a job: its specification in short, its progress and its metrics."""
    job = escaped(job)
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    spec = job["spec"]
    rows = {
        "job": job["id"],
        "name": job["name"],
        "state": " ".join(part for part in (job["state"], job["phase"]) if part),
        # A failure is printed below the table.
        "ended": None if job["failure"] else job["ending"],
        "reason": job["reason"],
        "progress": _progress(job),
        "tags": ", ".join(f"{key}={value}" for key, value in job["tags"].items()),
        "retry of": job["retry_of"],
        "data set": spec["dataset"]["name"],
        "network": spec["architecture"]["name"],
        "device": job["device"],
        "attempts": job["attempt"],
        **{name: _utc(job[f"{name}_at"]) for name in ("created", "started", "finished")},
        "MLflow run": job["mlflow_run_id"],
    }
    for name, value in rows.items():
        if value:
            table.add_row(name, Text(str(value)))
    for name, value in job["metrics"].items():
        table.add_row(name, number(value))
    console.print(table)
    print_warnings(console, job["warnings"])
    print_failure(console, job)


def print_warnings(console: Console, warnings: list[Json]) -> None:
    """Print what a specification probably has by mistake, one warning a line."""
    warnings = escaped(warnings)
    for warning in warnings:
        parts = (f"warning: {warning['pointer']} {warning['detail']}.", warning["suggestion"])
        text = " ".join(part for part in parts if part)
        console.print(Text(text, style="yellow"), soft_wrap=True)


def _utc(at: str | None) -> str:
    return f"{timestamp(at)} UTC" if at else ""


def print_failure(console: Console, job: Json) -> None:
    """Print why a job failed and what to try; nothing for other jobs."""
    job = escaped(job)
    if job["failure"]:
        console.print(Text(job["ending"], style="red"), soft_wrap=True)
        console.print(Text(job["failure"]["hint"]), soft_wrap=True)


def print_outcome(console: Console, job: Json) -> None:
    """Print the outcome of a followed job, and the commands that show more."""
    print_failure(console, job)
    if job["state"] == "succeeded":
        result_tables.print_test_results(console, job)
        has_classes = any("accuracy" in row for row in job["result"]["test"].values())
        commands = ["top-k", "metrics"] if has_classes else ["metrics"]
        more = ", ".join(f"trainshed {command} {job['id']}" for command in commands)
        console.print(f"more: {more}", soft_wrap=True)


def print_validation(console: Console, validation: Json) -> None:
    """Print the estimates for a valid specification."""
    validation = escaped(validation)
    parameters, memory = validation["parameter_count"]["trainable"], validation["device_memory_mib"]
    console.print(f"valid: {parameters:,} trainable parameters, about {memory} MiB on the device")
    if validation["seconds_per_epoch"] is not None:
        console.print(f"an epoch takes about {validation['seconds_per_epoch']:.1f} s")
    console.print(f"position in the queue: {validation['queue_position']}")
    print_warnings(console, validation["warnings"])


def print_datasets(console: Console, datasets: list[Json]) -> None:
    """Print the data sets."""
    datasets = escaped(datasets)
    table = Table("name", "images", "classes", "size", "available", "description")
    for dataset in datasets:
        shape = f"{dataset['image_size']}×{dataset['image_size']}×{dataset['channels']}"
        images = f"{dataset['train'] + dataset['test']:,}"
        classes = str(len(dataset["classes"]))
        if "files" in dataset:  # a table: its size is that of the file
            shape, classes, images = "", "", ", ".join(dataset["files"])
        is_available = "yes" if dataset["is_available"] else "no"
        table.add_row(dataset["id"], images, classes, shape, is_available, dataset["summary"])
    console.print(table)


def print_presets(console: Console, presets: list[Json]) -> None:
    """Print the presets and what each teaches."""
    table = Table(Column("name", no_wrap=True), "what it teaches", show_lines=True)
    for preset in presets:
        table.add_row(preset["name"], Text(f"{preset['title']}\n{preset['teaches']}"))
    console.print(table)


def print_preset(console: Console, preset: Json) -> None:
    """Print a preset: what it teaches, its specification, and what to look at afterwards."""
    console.print(Text(f"{preset['title']}\n\n{preset['teaches']}\n"))
    console.print_json(data=preset["spec"])
    console.print(Text(f"\nAfterwards: {preset['look_at']}"))


def print_weights(console: Console, uploads: list[Json]) -> None:
    """Print the uploaded weights."""
    uploads = escaped(uploads)
    if not uploads:
        console.print("none yet; `trainshed upload FILE` adds weights")
        return
    id_column = Column("id", no_wrap=True)
    table = Table("name", "tensors", "parameters", "size", "created (UTC)", id_column)
    for upload in uploads:
        size, created = file_size(upload["bytes"]), timestamp(upload["created_at"])
        counts = (str(upload["tensors"]), f"{upload['parameters']:,}")
        table.add_row(Text(upload["name"]), *counts, size, created, upload["id"])
    console.print(table)
