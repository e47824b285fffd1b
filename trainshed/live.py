"""Follows a job with a progress bar on a terminal, with lines where there is none."""

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from trainshed import show
from trainshed.client import Client

Json = dict[str, Any]
WATCHED = ("train_loss", "train_accuracy", "val_loss", "val_accuracy", "val_top_5_accuracy")


def live(console: Console, client: Client, job_id: str) -> Json:
    """Show the job until it has ended; return it."""
    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("queued", total=1.0, rate="")
        for event in client.follow(job_id):
            data = event["data"]
            if event["type"] == "progress":
                rate = f"{data['images_per_second']:,.0f} images/s"
                said = f"{data['stage']}: epoch {data['epoch']}/{data['epochs']}"
                progress.update(task, completed=data["fraction"], description=said, rate=rate)
            else:
                said = _sentence(event)
                if said:
                    progress.console.print(said, highlight=False)
                if event["type"] == "phase":
                    progress.update(task, description=data["phase"])
    return client.get(job_id)


def _sentence(event: Json) -> str:
    """An event in words; empty for what says nothing to a person."""
    data, kind = event["data"], event["type"]
    if kind == "epoch":
        figures = data["metrics"]
        known = [f"{name} {show.figure(figures[name])}" for name in WATCHED if name in figures]
        return f"epoch {data['epoch']}/{data['epochs']}: {', '.join(known)}"
    if kind == "state":
        where = f" on {data['device']}" if "device" in data else ""
        why = f" ({data['reason']})" if data.get("reason") else ""
        return f"{data['state']}{where}{why}"
    if kind == "attempt" and data["attempt"] > 1:
        return f"attempt {data['attempt']} goes on from step {data['step']}"
    if kind == "note":
        return f"note: {data['text']}"
    return ""
