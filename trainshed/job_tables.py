"""Tables of jobs for people: the list, a job in full, its warnings, its failure and its outcome."""

from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from trainshed import result_tables
from trainshed.escaping import escaped
from trainshed.finding_tables import print_headline
from trainshed.formatting import duration, metric_value, timestamp
from trainshed.hyperparameters import hyperparameters
from trainshed.queue_tables import takes_line

Json = dict[str, Any]
#: On narrower terminals a list of jobs shows only its most important columns.
MEDIUM_COLUMNS, WIDE_COLUMNS = 100, 130
COLOURS = {"succeeded": "green", "failed": "red", "cancelled": "yellow", "running": "cyan"}


def print_jobs(console: Console, jobs: list[Json]) -> None:
    """Print a list of jobs."""
    jobs = escaped(jobs)
    if not jobs:
        console.print("no jobs")
        return
    # Ids are for copying, so they are never wrapped.
    columns = [Column("job", no_wrap=True, min_width=30), Column("name", overflow="fold")]
    columns += [Column("state", no_wrap=True), "best validation"]
    is_medium, is_wide = console.width >= MEDIUM_COLUMNS, console.width >= WIDE_COLUMNS
    columns += ["test"] if is_medium else []
    columns += ["data set", "network", Column("age", no_wrap=True)] if is_wide else []
    table = Table(*columns)
    now = datetime.now(UTC)
    for job in jobs:
        if job.get("unreadable"):
            state = Text(f"{job['state'] or 'unknown'}, unreadable", style="red")
            table.add_row(job["id"], Text(job["name"] or ""), state)
            continue
        spec, age = job["spec"], now - datetime.fromisoformat(job["created_at"])
        monitor = _shown_monitor(job)
        wide = (spec["dataset"]["name"], spec["architecture"]["name"], duration(age))
        table.add_row(
            job["id"],
            Text(job["name"]),
            Text(_state(job), style=COLOURS.get(job["state"], "")),
            _best_validation(job, monitor),
            *([_test(job, monitor)] if is_medium else []),
            *(wide if is_wide else ()),
        )
    console.print(table)
    if any(job["best"] for job in jobs):
        test = "; test: of the checkpoint by the first rule" if is_medium else ""
        more = "`trainshed show JOB` has every checkpoint"
        console.print(f"best validation: with its epoch{test}; {more}", soft_wrap=True)


def _print_unreadable(console: Console, job: Json) -> None:
    """Print what of a damaged job can be read, and what cannot."""
    state = job["state"] or "unknown"
    console.print(f"{job['id']} {job['name'] or ''}: {state}", markup=False, soft_wrap=True)
    console.print(
        "The stored record of this job cannot be read. The queue passes it; cancel it, or ask the "
        "administrator of the box to repair it:",
        soft_wrap=True,
    )
    for fault in job["unreadable"]:
        console.print(f"  {fault['field']} {fault['detail']}", markup=False, soft_wrap=True)


def _state(job: Json) -> str:
    return ", ".join(part for part in (job["state"], _progress(job)) if part)


def _progress(job: Json) -> str:
    if job["state"] == "queued":
        position = job["queue_position"]  # not known yet right after the submission
        return "" if position is None else f"position {position}"
    if job["state"] == "succeeded" or not job["progress"]:
        return ""
    return f"{100 * job['progress']['fraction']:.0f} %"


def _shown_monitor(job: Json) -> str | None:
    """Return the monitor that a list shows: the first that is not a loss, or else the first."""
    monitors = [*job["best"]]
    return next(
        (name for name in monitors if not name.endswith("loss")), next(iter(monitors), None)
    )


def _best_validation(job: Json, monitor: str | None) -> str:
    if monitor is None:
        return ""
    best = job["best"][monitor]
    return f"{_named_value(monitor, best['value'])} ({best['epoch']})"


def _test(job: Json, monitor: str | None) -> str:
    metrics = job["metrics"]
    name = "test_" + (monitor or "").removeprefix("val_")
    name = name if name in metrics else "test_loss"
    return _named_value(name, metrics[name]) if name in metrics else ""


def _named_value(metric: str, value: Any) -> str:
    """Return the value of a metric, with its name unless it is the accuracy."""
    name = metric.partition("_")[2].replace("_", " ")
    text = metric_value(metric, value)
    return text if name == "accuracy" else f"{name} {text}"


def print_job(console: Console, job: Json) -> None:
    """Print a job: its specification in short, its progress, metrics and checkpoints."""
    job = escaped(job)
    if job.get("unreadable"):
        _print_unreadable(console, job)
        return
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
        "fork of": job.get("forked_from"),
        "device": ", ".join(job.get("devices") or filter(None, [job["device"]])),
        "attempts": job["attempt"],
        **{name: _utc(job[f"{name}_at"]) for name in ("created", "started", "finished")},
        "MLflow run": job["mlflow_run_id"],
        "data set": spec["dataset"]["name"],
        "network": spec["architecture"]["name"],
        **hyperparameters(spec),
    }
    for name, value in rows.items():
        if value:
            table.add_row(name, Text(str(value)))
    console.print(table)
    result_tables.print_latest_metrics(console, job)
    result_tables.print_results(console, job)
    print_warnings(console, job["warnings"])
    print_failure(console, job)
    print_headline(console, job)


def _utc(at: str | None) -> str:
    return f"{timestamp(at)} UTC" if at else ""


def print_warnings(console: Console, warnings: list[Json]) -> None:
    """Print what a specification probably has by mistake, one warning a line."""
    warnings = escaped(warnings)
    for warning in warnings:
        parts = (f"warning: {warning['pointer']} {warning['detail']}.", warning["suggestion"])
        text = " ".join(part for part in parts if part)
        console.print(Text(text, style="yellow"), soft_wrap=True)


def print_failure(console: Console, job: Json) -> None:
    """Print why a job failed and what to try; nothing for other jobs."""
    job = escaped(job)
    if job["failure"]:
        console.print(Text(job["ending"], style="red"), soft_wrap=True)
        console.print(Text(job["failure"]["hint"]), soft_wrap=True)


def print_outcome(console: Console, job: Json) -> None:
    """Print the outcome of a followed job, and the commands that show more."""
    print_failure(console, job)
    print_headline(console, job)
    if job["state"] == "succeeded":
        result_tables.print_results(console, job)
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
    if (validation.get("seconds") or {}).get("p50") is not None:
        line = takes_line(validation["seconds"], validation["basis"])
        console.print(f"the job {line}")
    console.print(f"position in the queue: {validation['queue_position']}")
    print_warnings(console, validation["warnings"])
